"""`bench table` as a user runs it: formats, pairs, tables of the suite."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.conftest import Finished


def test_json_is_that_of_the_records(finished: Finished) -> None:
    said = json.loads(finished.bench("table", "tiny", "--json").stdout)
    assert (said["suite"], said["seeds"], said["ranked_by"]) == ("tiny", 2, "acc")
    (board,) = said["boards"]
    assert board["synthetic"] is True
    assert len(board["rows"]) == 7
    assert json.loads(finished.bench("table", "tiny", "-f", "json").stdout) == said


def test_html_is_what_the_run_wrote(finished: Finished) -> None:
    done = finished.bench("table", "tiny", "-f", "html")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (finished.results / "tiny" / "leaderboard.html").read_text()
    assert "synthetic" in done.stdout


@pytest.mark.parametrize("format", ["terminal", "md", "html", "latex"])
def test_pairs_follow_the_table(finished: Finished, format: str) -> None:
    text = finished.bench("table", "tiny", "--pairs", "-f", format).stdout
    assert "Pairs of methods on Tiny plankton" in text
    assert "cannot be tested" in text  # two seeds


def test_pairs_for_machines(finished: Finished) -> None:
    rows = list(csv.DictReader(io.StringIO(finished.bench("table", "tiny", "--pairs", "-f", "csv").stdout)))
    assert len(rows) == 6
    assert {r["verdict"] for r in rows} == {"cannot be tested"}
    (found,) = json.loads(finished.bench("table", "tiny", "--pairs", "--json").stdout)["comparisons"]
    assert (found["tested"], len(found["pairs"])) == (0, 6)


def test_small_tables_leave_nothing_behind(finished: Finished) -> None:
    before = sorted(p.name for p in (finished.results / "tiny").iterdir())
    finished.bench("table", "tiny")
    assert sorted(p.name for p in (finished.results / "tiny").iterdir()) == before
