"""A folder of nights: which is the newest, what it is compared with, and what becomes of a regression."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from bench.errors import DataError
from bench.regression.nights import read_nights, regress, since
from tests.regression.made import Made, write_run

BEFORE, AFTER = "a" * 40, "b" * 40
Change = Callable[[Made, int], Made]


def nights(tmp_path: Path, count: int, change: Change | None = None, noise: float = 0.003) -> Path:
    """Write nights of two methods; `change` makes the cell of a night from the usual one."""
    rng = np.random.default_rng(0)
    for i in range(count):
        day = date(2026, 1, 1) + timedelta(days=i)
        cells = []
        for method in ("m", "n"):
            usual = Made(
                method,
                seconds=float(np.exp(noise * rng.standard_normal())),
                shared_seconds=float(2 * np.exp(noise * rng.standard_normal())),
                started=f"{day}T02:00:00.000+00:00",
                commit=BEFORE if i < count // 2 else AFTER,
            )
            cells.append(change(usual, i) if change is not None else usual)
        write_run(
            tmp_path / str(day) / "made", [replace(c, shared_seconds=cells[0].shared_seconds) for c in cells]
        )
    return tmp_path


def only(method: str, first: int, **changes: object) -> Change:
    return lambda c, i: replace(c, **changes) if c.method == method and i >= first else c  # type: ignore[arg-type]


def test_nights_without_change_report_nothing(tmp_path: Path):
    report = regress(read_nights(nights(tmp_path, 40), "made"))
    assert (report.findings, report.code, report.notes) == ([], 0, [])
    assert report.compared == {"scores": 4, "time": 3, "memory": 3}


@pytest.mark.parametrize(("first", "found"), [(37, ["worse"]), (38, []), (20, ["worse"])])
def test_a_slower_stage_is_worse_from_its_third_night_on(tmp_path: Path, first: int, found: list[str]):
    def slower(cell: Made, night: int) -> Made:
        late = cell.method == "n" and night >= first
        return replace(cell, seconds=cell.seconds * 1.05) if late else cell

    report = regress(read_nights(nights(tmp_path, 40, slower), "made"))
    assert [(f.verdict, f.method, f.part) for f in report.findings] == [
        (v, "n", "cluster kmeans") for v in found
    ]
    assert report.code == (3 if found else 0)


def test_one_slow_night_is_only_mentioned(tmp_path: Path):
    report = regress(read_nights(nights(tmp_path, 40, only("n", 39, seconds=1.5)), "made"))
    assert [(f.verdict, f.what, f.method) for f in report.findings] == [("slow tonight", "time", "n")]
    assert report.code == 0


def test_more_memory_is_worse(tmp_path: Path):
    def more(cell: Made, night: int) -> Made:
        jitter = int(1e5 * (night % 7))
        return replace(cell, bytes=cell.bytes + jitter + (10**8 if night >= 37 else 0))

    report = regress(read_nights(nights(tmp_path, 40, more), "made"))
    assert {(f.verdict, f.what) for f in report.findings} == {("worse", "memory")}


def test_lost_scores_stay_worse_until_they_are_back(tmp_path: Path):
    low = {"ami": 0.2, "acc": 0.6}
    report = regress(read_nights(nights(tmp_path / "low", 8, only("n", 3, scores=low)), "made"))
    assert [(f.verdict, f.what, f.before, f.after) for f in report.findings] == [
        ("worse", "AMI", "0.5000", "0.2000")
    ]
    assert report.before is not None
    assert report.before.started.startswith("2026-01-03")

    def mended(cell: Made, night: int) -> Made:
        return replace(cell, scores=low) if cell.method == "n" and 3 <= night < 7 else cell

    report = regress(read_nights(nights(tmp_path / "mended", 8, mended), "made"))
    assert (report.findings, report.code) == ([], 0)


def test_a_cell_that_fails_is_worse_on_the_first_night_and_later(tmp_path: Path):
    for count in (4, 6):
        folder = nights(tmp_path / str(count), count, only("n", 3, status="crash"))
        report = regress(read_nights(folder, "made"))
        assert [(f.verdict, f.after) for f in report.findings] == [("worse", "crash")]


def test_since_accepts_what_changed_before(tmp_path: Path):
    found = read_nights(nights(tmp_path, 8, only("n", 4, scores={"ami": 0.2, "acc": 0.6})), "made")
    assert regress(found).code == 3
    for start in ("2026-01-05", AFTER[:8], AFTER):
        kept = since(found, start)
        assert len(kept) == 4
        assert regress(kept).code == 0
    with pytest.raises(DataError, match=f"nights ran at: {BEFORE[:12]}, {AFTER[:12]}"):
        since(found, "cccccc")
    with pytest.raises(DataError, match="newest night is from 2026-01-08"):
        since(found, "2027-01-01")


def test_since_accepts_tags_and_branches_of_the_checkout_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    monkeypatch.chdir(checkout)

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q", "-b", "trunk")
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    commits = []
    for i in range(4):
        git(*who, "commit", "-q", "--allow-empty", "-m", str(i))
        commits.append(git("rev-parse", "HEAD"))
    git(*who, "tag", "-a", "v1", "-m", "annotated", commits[1])
    git("tag", "v2", commits[2])
    git("branch", "aside", commits[0])
    ran = (commits[0], commits[0], commits[2], commits[2])  # no night at v1 itself
    found = read_nights(nights(tmp_path / "n", 4, lambda c, i: replace(c, commit=ran[i])), "made")
    for ref, kept in (("v1", 2), ("v2", 2), ("aside", 4), ("v2~2", 4), (commits[1][:8], 2)):
        assert len(since(found, ref)) == kept, ref
    with pytest.raises(DataError, match=f"no night ran at {commits[3][:12]} or at a commit made from it"):
        since(found, "trunk")
    for ref in ("v3", "--all", "-h", "", "a\0b"):
        with pytest.raises(DataError, match="nor a tag or branch of a git checkout in the current folder"):
            since(found, ref)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="nor a tag or branch"):
        since(found, "v1")


def test_nights_on_another_machine_do_not_count(tmp_path: Path):
    def moved(cell: Made, night: int) -> Made:
        return replace(cell, processor="new", seconds=9.0) if night >= 38 else cell

    report = regress(read_nights(nights(tmp_path, 40, moved), "made"))
    assert not report.findings
    assert any("fewer than" in n for n in report.notes)
    report = regress(read_nights(tmp_path, "made")[:39])
    assert report.notes[0] == "costs of 3 stages are not compared: they ran on c, then on new"


def test_a_stage_that_came_from_the_store_is_no_new_measurement(tmp_path: Path):
    report = regress(read_nights(nights(tmp_path, 8, lambda c, i: replace(c, started="2026-01-01T")), "made"))
    assert report.compared == {"scores": 4}
    assert "were not measured" in report.notes[-1]


def test_the_least_of_several_runs_of_a_night_counts(tmp_path: Path):
    base = nights(tmp_path, 8)
    for night in list(base.iterdir()):
        (night / "made").rename(night / "tmp")
        (night / "1").mkdir()
        (night / "tmp").rename(night / "1" / "made")
        day = f"{night.name}T03:00:00.000+00:00"
        slow = [Made(m, seconds=90.0, started=day, commit=AFTER) for m in ("m", "n")]
        write_run(night / "2" / "made", [replace(c, shared_seconds=90.0) for c in slow])
    found = read_nights(base, "made")
    assert len(found) == 8
    assert regress(found).findings == []
    assert regress(found).compared["time"] == 3


def test_nights_are_ordered_by_when_they_ran_not_by_name(tmp_path: Path):
    base = nights(tmp_path, 3)
    (base / "2026-01-01").rename(base / "zzz")
    assert read_nights(base, "made")[0].side.name.endswith("zzz")


def test_no_nights_and_a_first_night(tmp_path: Path):
    with pytest.raises(DataError, match="no night of 'made'"):
        read_nights(tmp_path / "nowhere", "made")
    report = regress(read_nights(nights(tmp_path, 1), "made"))
    assert report.code == 0
    assert report.notes == ["this is the first night: there is nothing to compare with"]


def test_a_short_history_is_said_to_be_short(tmp_path: Path):
    report = regress(read_nights(nights(tmp_path, 3), "made"))
    assert report.notes == ["costs are judged from 6 nights on; there are 3"]


def test_a_night_whose_clock_was_ahead_is_not_tonight(tmp_path: Path):
    def change(cell: Made, night: int) -> Made:
        if night == 4:
            return replace(cell, started="2026-02-04T02:00:00.000+00:00")
        low = night == 7 and cell.method == "n"
        return replace(cell, scores={"ami": 0.2, "acc": 0.6}) if low else cell

    found = read_nights(nights(tmp_path, 8, change), "made")
    assert [Path(n.side.name).name for n in found] == [f"2026-01-0{i}" for i in range(1, 9)]
    report = regress(found)
    assert [(f.verdict, f.method) for f in report.findings] == [("worse", "n")]
    assert len([n for n in report.notes if "the clock of 2026-01-06" in n]) == 1
    assert len(since(found, "2026-01-05")) == 4
