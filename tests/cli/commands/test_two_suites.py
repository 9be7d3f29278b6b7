"""Two suites of one name, from two folders, never show each other's results."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import cutjoin
from bench.errors import UsageError
from bench.records.results import Results
from tests.conftest import TINY, Finished, bench, write_suite

ONE = TINY.replace(", polar_fft]", "]").replace(", ward]", "]").replace("[0, 1]", "[0]")


@pytest.fixture
def own_run(own_run: Finished) -> Finished:
    """Return a finished run whose results know its suite file."""
    suite = write_suite(own_run.store.parent / "a", TINY, "tiny.yaml")
    Results(own_run.results, "tiny").claim(str(suite))
    return replace(own_run, suite=suite)


def other(finished: Finished) -> Path:
    """Write a suite of the same name as the one that has run."""
    return write_suite(finished.store.parent / "b", ONE, finished.suite.name)


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["table"],
        ["plan"],
        ["status"],
        ["figure", "frequencies"],
        ["site", "--out", "/dev/null/page"],
    ],
)
def test_another_suite_of_the_same_name_is_refused_with_the_fix(own_run: Finished, words: list[str]):
    before = (own_run.results / "tiny" / "plan.json").read_bytes()
    command, *more = words
    file = str(other(own_run))
    done = own_run.bench(command, *([more[0], file] if command == "figure" else [file, *more]))
    assert done.returncode == 2
    assert f"holds the results of another suite of this name, {own_run.suite}" in done.stderr
    assert "--results" in done.stderr
    assert (own_run.results / "tiny" / "plan.json").read_bytes() == before
    assert own_run.bench("table", str(own_run.suite)).returncode == 0


def test_with_other_results_both_run(own_run: Finished):
    elsewhere = own_run.store.parent / "elsewhere"
    done = bench("run", str(other(own_run)), "--json", store=own_run.store, results=elsewhere)
    assert json.loads(done.stdout)["statuses"] == {"ok": 4}
    assert own_run.bench("table", "tiny").returncode == 0


def test_a_suite_that_has_moved_keeps_its_results(own_run: Finished):
    moved = own_run.store.parent / "after" / "tiny.yaml"
    shutil.move(own_run.suite.parent, moved.parent)
    assert own_run.bench("table", str(moved)).returncode == 0
    assert own_run.bench("run", str(moved), "--json").returncode == 0
    assert own_run.bench("run", str(write_suite(own_run.suite.parent, ONE, "tiny.yaml"))).returncode == 2


def test_results_from_before_belong_to_who_runs_first(own_run: Finished):
    (own_run.results / "tiny" / "suite.json").unlink()
    assert own_run.bench("table", str(other(own_run))).returncode == 0
    assert own_run.bench("run", str(own_run.suite), "--json").returncode == 0
    assert own_run.bench("table", str(other(own_run))).returncode == 2


def test_python_refuses_too(own_run: Finished):
    file = other(own_run)
    with pytest.raises(UsageError, match="another suite of this name"):
        cutjoin.leaderboard(cutjoin.load_suite(file), results=own_run.results)


def test_of_two_that_start_at_once_one_is_refused(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).touch()
    Results(tmp_path, "same").claim(str(tmp_path / "a"))
    Results(tmp_path, "same").claim(str(tmp_path / "a"))
    with pytest.raises(UsageError, match="another suite of this name"):
        Results(tmp_path, "same").claim(str(tmp_path / "b"))
    assert [p.name for p in (tmp_path / "same").iterdir()] == ["suite.json"]
