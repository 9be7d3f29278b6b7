"""Runs that are killed, interrupted, concurrent or find damage: nothing lost, torn, leaked or done twice."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.execute.runs import HOSTILE, SMALL, Bench


def _until(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _waiting(
    bench: Bench, diary: Path, *, seconds: float = 600, stubborn: bool = True, more: str = ""
) -> str:
    return bench.suite(
        "seeds: [0]\nbaselines: false\nbootstrap: {replicates: 10}\ndatasets:\n"
        "  - {name: made, use: kaggle_plankton, size: 16, synthetic: {images: 40}}\n"
        f"methods:\n  - {{name: w, encoder: {{use: {HOSTILE}/waits.py, diary: {diary}, seconds: {seconds}, "
        f"stubborn: {str(stubborn).lower()}}}, clusterer: kmeans}}\n" + more
    )


@pytest.mark.slow
def test_20_kills_at_random_moments_change_nothing(tmp_path: Path) -> None:
    undisturbed, disturbed = Bench(tmp_path / "calm"), Bench(tmp_path / "storm")
    more = "".join(
        f"  - {{name: w{i}, encoder: {{use: {HOSTILE}/waits.py, diary: {tmp_path}/diary, "
        f"seconds: 0.{20 + i}, stubborn: false}}, clusterer: kmeans}}\n"
        for i in range(16)
    )
    for bench in (undisturbed, disturbed):
        bench.root.mkdir()
        bench.suite(SMALL.replace("limits:", f"{more}limits:"))
    suites = {bench: str(bench.root / "small.yaml") for bench in (undisturbed, disturbed)}
    assert undisturbed.run("run", suites[undisturbed], "--jobs", "2").returncode == 0

    chance = random.Random(0)
    records: list[int] = []
    for attempt in range(20):
        before = disturbed.artefacts()
        process = disturbed.start("run", suites[disturbed], "--jobs", "2")
        if attempt % 3 == 0:  # any time after the start
            time.sleep(chance.uniform(0.0, 3.0))
        else:  # while stages run
            while disturbed.artefacts() == before and process.poll() is None:
                time.sleep(0.02)
            time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        process.wait()
        _until(lambda: disturbed.processes() == [], 10)
        records.append(len(disturbed.all_records()))  # reads them all: none is torn
    assert disturbed.run("run", suites[disturbed], "--jobs", "2").returncode == 0

    assert len(set(records)) > 5, f"the kills came at too few different moments: {records}"
    assert disturbed.essence() == undisturbed.essence()
    assert disturbed.table() == undisturbed.table()
    assert disturbed.run("verify").returncode == 0
    assert [p for p in (disturbed.root / "store" / "partial").iterdir() if p.is_dir()] == []


def test_ctrl_c_ends_within_10_s_and_leaves_nothing_running(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    diary = tmp_path / "diary"
    process = bench.start("run", _waiting(bench, diary))
    _until(diary.exists)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert time.monotonic() - sent < 10
    assert bench.processes() == []
    assert bench.all_records() == []
    assert "same command continues" in " ".join((tmp_path / "output.txt").read_text().split())


def test_a_killed_run_leaves_nothing_running(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    diary = tmp_path / "diary"
    process = bench.start("run", _waiting(bench, diary))
    _until(diary.exists)
    _until(lambda: len(bench.processes()) >= 5)  # run, guardian, fork server, stage, its child
    process.kill()
    process.wait()
    _until(lambda: bench.processes() == [], 10)


@pytest.mark.parametrize("victim", ["guardian", "forkserver"])
def test_a_run_survives_the_loss_of_its_helpers(tmp_path: Path, victim: str) -> None:
    bench = Bench(tmp_path)
    diary = tmp_path / "diary"
    process = bench.start("run", _waiting(bench, diary, seconds=2, stubborn=False))
    _until(diary.exists)
    for p in bench.processes():
        if f"bench.execute.{victim}" in p.cmdline() and p.parent() is not None and not _is_stage(p):
            p.kill()
            break
    assert process.wait(120) == 0
    assert {r.status for r in bench.all_records()} == {"ok"}
    assert len(diary.read_text().splitlines()) == 2
    _until(lambda: bench.processes() == [], 10)


def _is_stage(process: psutil.Process) -> bool:
    """Stages are forks of the fork server and share its command line; they lead a session."""
    parent = process.parent()
    return parent is not None and "bench.execute.forkserver" in parent.cmdline()


def test_two_runs_on_one_store_do_nothing_twice(tmp_path: Path) -> None:
    first, second = Bench(tmp_path, "results-1"), Bench(tmp_path, "results-2")
    diary = tmp_path / "diary"
    more = "".join(
        f"  - {{name: w{i}, encoder: {{use: {HOSTILE}/waits.py, diary: {diary}, seconds: 0.{i}, "
        "stubborn: false}, clusterer: kmeans}\n"
        for i in range(1, 7)
    )
    suite = _waiting(first, diary, seconds=0.75, stubborn=False, more=more)
    processes = [first.start("run", suite, "--jobs", "1"), second.start("run", suite, "--jobs", "1")]
    assert [p.wait(120) for p in processes] == [0, 0]
    assert len(diary.read_text().splitlines()) == 7
    assert first.essence() == second.essence()
    assert first.table() == second.table()
    assert list((tmp_path / "store" / "claims").iterdir()) == []


def test_damaged_artefacts_and_records_are_recomputed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    suite = bench.suite(SMALL)
    assert bench.run("run", suite).returncode == 0
    before = bench.essence()
    for path in bench.root.glob("store/artefacts/*/*/*.npy"):
        _flip(path)
    for path in list((bench.folder() / "records").iterdir())[:5]:
        _flip(path)
    assert bench.run("verify").returncode == 1
    assert bench.run("run", suite).returncode == 0  # the five records, from intact scores
    assert bench.essence() == before
    manifests = list(bench.root.glob("store/artefacts/*/*/manifest.json"))
    scores = [p for p in manifests if len(list(p.parent.iterdir())) == 1]  # only a manifest
    assert len(scores) == len({r.stages[-1].key for r in bench.all_records()})
    for path in scores:
        _flip(path)
    for path in (bench.folder() / "records").iterdir():
        path.unlink()
    assert bench.run("run", suite).returncode == 0  # all, from scratch
    assert bench.essence() == before
    assert bench.run("verify").returncode == 0


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_the_number_of_jobs_changes_no_record(tmp_path: Path) -> None:
    one, four = Bench(tmp_path / "one"), Bench(tmp_path / "four")
    for bench, jobs in ((one, "1"), (four, "4")):
        bench.root.mkdir()
        assert bench.run("run", bench.suite(SMALL), "--jobs", jobs).returncode == 0
    assert one.essence() == four.essence()
    assert one.table() == four.table()


def test_a_folder_named_bench_does_not_shadow_the_package(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    process = bench.start("run", _waiting(bench, tmp_path / "diary", seconds=0, stubborn=False))
    assert process.wait(60) == 0, (tmp_path / "output.txt").read_text()
