"""A disk that is full ends a run with a code of its own; nothing is lost, and the same command goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.execute.runs import Bench

SUITE = """
seeds: [0]
baselines: false
bootstrap: {replicates: 10}
datasets:
  - {name: made, use: kaggle_plankton, size: 16, synthetic: {images: 40}}
methods:
  - {encoder: pixels, clusterer: kmeans}
  - {encoder: polar_fft, clusterer: kmeans}
"""

Disk = Callable[[Path, int], None]


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Return what makes a folder a disk of so many KiB, or gives it another size."""
    mounted: list[Path] = []

    def resize(folder: Path, kib: int) -> None:
        folder.mkdir(exist_ok=True)
        options = f"remount,size={kib}k" if folder in mounted else f"size={kib}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False)
        if done.returncode:
            pytest.skip("only root can mount a disk")
        mounted.append(folder)

    yield resize
    for folder in dict.fromkeys(mounted):
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk")
@pytest.mark.parametrize("kib", [12, 60])
def test_a_full_store_ends_the_run_and_no_cell(disk: Disk, tmp_path: Path, kib: int):
    bench = Bench(tmp_path)
    suite = bench.suite(SUITE)
    disk(tmp_path / "store", kib)
    done = bench.run("run", suite, "--quiet")
    assert done.returncode == 4, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"bench: {tmp_path / 'store'}")
    assert ": the disk is full. Records and artefacts that are finished are kept: make room" in line
    assert {r.status for r in bench.all_records()} <= {"ok"}
    disk(tmp_path / "store", 50_000)
    assert bench.run("run", suite).returncode == 0
    assert len(bench.all_records()) == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a disk")
@pytest.mark.parametrize("kib", [4, 24])
def test_full_results_end_the_run_and_lose_nothing(disk: Disk, tmp_path: Path, kib: int):
    bench = Bench(tmp_path)
    suite = bench.suite(SUITE)
    disk(tmp_path / "results", kib)
    done = bench.run("run", suite, "--quiet")
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith(f"bench: {tmp_path / 'results'}")
    assert "the disk is full" in done.stderr
    assert list((tmp_path / "results").rglob("*.tmp")) == []
    disk(tmp_path / "results", 50_000)
    assert bench.run("run", suite).returncode == 0
    assert {r.status for r in bench.all_records()} == {"ok"}
    assert bench.run("verify").returncode == 0


def test_what_else_the_system_refuses_has_its_own_code_and_names_the_path(tmp_path: Path):
    bench = Bench(tmp_path)
    suite = bench.suite(SUITE)
    (bench.folder() / "leaderboard.csv").mkdir(parents=True)
    done = bench.run("run", suite, "--quiet")
    assert done.returncode == 5
    assert done.stderr.startswith(
        f"bench: the run broke off: {bench.folder() / 'leaderboard.csv'}: Is a directory"
    )
    assert {r.status for r in bench.all_records()} == {"ok"}
