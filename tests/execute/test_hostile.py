"""Adapters that misbehave in every way: each yields one record, and the others finish."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.records.record import CellRecord
from tests.execute.runs import HOSTILE, Bench

EXPECTED = {
    "raises": ("error", "RuntimeError: broken on purpose"),
    "exits": ("crash", "code 3"),
    "segfaults": ("crash", "SIGSEGV"),
    "kills_itself": ("crash", "SIGKILL"),
    "allocates": ("oom-host", "limit of 1 GiB memory"),
    "child_allocates": ("oom-host", "limit of 1 GiB memory"),
    "asks_too_much": ("oom-host", "MemoryError"),
    "ignores_sigterm": ("timeout", "limit of 3 s"),
    "hangs": ("timeout", "limit of 3 s"),
    "returns_nan": ("error", "NaN or infinite features for 2 of 40 images"),
    "returns_too_few": ("error", "shape (39, 3) for 40 images"),
    "exits_politely": ("error", "SystemExit"),
    "leaves_children": ("ok", None),
    "prints_a_gigabyte": ("ok", None),
    "maps_shared_memory": ("oom-host", "limit of 1 GiB memory"),
    "writes_to_shm": ("oom-host", "limit of 1 GiB memory"),
    "shares_memory": ("ok", None),
    "reports_oddly": ("ok", None),
    "writes_nonsense": ("ok", None),
    "forges_outcomes": ("crash", "it has no such input"),
    "unprintable": ("error", r"RuntimeError: cannot read 'caf\udce9.png'"),
    "constant": ("degenerate", "all 40 images are in one cluster"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, int]:
    bench = Bench(tmp_path_factory.mktemp("hostile"))
    methods = "".join(
        f"  - {{name: {name}, encoder: {{use: {HOSTILE / name}.py}}, clusterer: {_clusterer(name)}, "
        f"limits: {{wall_s: {3 if name in ('ignores_sigterm', 'hangs') else 60}, memory_gib: 1}}}}\n"
        for name in EXPECTED
    )
    suite = bench.suite(
        "seeds: [0]\nbootstrap: {replicates: 10}\nlimits: {memory_gib: 2}\ndatasets:\n"
        "  - {name: made, use: kaggle_plankton, size: 16, synthetic: {images: 40}}\n"
        f"methods:\n{methods}"
        "  - {name: neighbour, encoder: pixels, clusterer: kmeans}\n",
        "hostile",
    )
    return bench, bench.run("run", suite, "--jobs", "2").returncode


def _clusterer(name: str) -> str:
    return "{use: kmeans, k: 1}" if name == "constant" else "kmeans"


@pytest.fixture(scope="module")
def records(run: tuple[Bench, int]) -> dict[str, CellRecord]:
    return {method: r for (method, _), r in run[0].records("hostile").items()}


@pytest.mark.parametrize("name", EXPECTED)
def test_it_ends_as_one_record_with_the_right_status(records: dict[str, CellRecord], name: str) -> None:
    status, reason = EXPECTED[name]
    record = records[name]
    assert record.status == status, record.error
    assert (record.error is None) if reason is None else (reason in str(record.error))
    assert bool(record.metrics) == (status in ("ok", "degenerate"))


def test_neighbours_and_baselines_finish(records: dict[str, CellRecord]) -> None:
    assert set(records) == {*EXPECTED, "neighbour", "all in one", "each alone", "random sizes"}
    for name in ("neighbour", "all in one", "each alone", "random sizes"):
        assert records[name].status == "ok"


def test_the_exit_code_reports_failed_cells(run: tuple[Bench, int]) -> None:
    assert run[1] == 1


def test_nothing_is_left_running(run: tuple[Bench, int]) -> None:
    assert run[0].processes() == []


def test_nothing_is_left_in_shared_memory(run: tuple[Bench, int]) -> None:
    assert run[1] == 1
    assert list(Path("/dev/shm").glob("cutjoin-left-*")) == []


def test_a_gigabyte_of_output_is_kept_in_part_and_said_to_be(run: tuple[Bench, int]) -> None:
    logs = list((run[0].folder("hostile") / "logs").glob("*.log"))
    long = [p for p in logs if p.stat().st_size > 100_000]
    assert len(long) == 1
    assert long[0].stat().st_size < 2 << 20
    assert b"bytes left out" in long[0].read_bytes()


def test_the_record_of_a_failure_names_its_log(
    run: tuple[Bench, int], records: dict[str, CellRecord]
) -> None:
    log = records["raises"].log
    assert log is not None
    assert "broken on purpose" in (run[0].folder("hostile") / log).read_text()


def test_the_peak_memory_of_a_killed_stage_is_recorded(records: dict[str, CellRecord]) -> None:
    assert records["allocates"].host_peak_bytes > 1 << 30


def test_running_again_repeats_nothing_and_retry_repeats_what_it_names(run: tuple[Bench, int]) -> None:
    bench, _ = run
    before = bench.essence("hostile")
    suite = str(bench.root / "hostile.yaml")
    again = bench.run("run", suite, "--json")
    assert again.returncode == 1
    assert bench.essence("hostile") == before
    assert not (bench.folder("hostile") / "superseded").exists()
    assert bench.run("run", suite, "--retry", "error", "--json").returncode == 1
    assert len(list((bench.folder("hostile") / "superseded").iterdir())) == 5


def test_a_broken_dataset_blocks_its_cells_and_no_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    folder = tmp_path / "broken" / "a"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(b"no image")
    pictures = tmp_path / "changing"
    pictures.mkdir()
    for i in range(3):
        cv2.imwrite(str(pictures / f"{i}.jpg"), np.full((9, 9), 80 * i, np.uint8))
    suite = bench.suite(
        "seeds: [0]\nbaselines: false\nbootstrap: {replicates: 10}\ndatasets:\n"
        "  - {name: broken, use: image_folder, root: broken}\n"
        f"  - {{name: changing, use: {HOSTILE}/changing.py, root: changing}}\n"
        "  - {name: absent, use: image_folder, root: nowhere}\n"
        "  - {name: made, use: kaggle_plankton, size: 16, synthetic: {images: 40}}\n"
        "methods:\n  - {name: m, encoder: pixels, clusterer: kmeans}\n",
        "blocked",
    )
    assert bench.run("run", suite).returncode == 1
    statuses = {r.dataset: (r.status, r.error) for r in bench.all_records("blocked")}
    assert statuses["made"] == ("ok", None)
    assert statuses["broken"][0] == "blocked"
    assert "none of the 1 images can be used" in str(statuses["broken"][1])
    assert statuses["changing"][0] == "blocked"
    assert "changed since the run was planned" in str(statuses["changing"][1])
    assert statuses["absent"][0] == "blocked"
    assert "there is no folder" in str(statuses["absent"][1])
