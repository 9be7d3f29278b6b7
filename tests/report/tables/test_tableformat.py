"""A table format plugs in as a file, from a user or another package, and its errors are one sentence each."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.adapters import sockets
from bench.cli.app import app
from bench.errors import AdapterError, UsageError
from bench.metrics.names import METRICS
from bench.records.results import Results
from bench.report.tables import tableformat
from bench.report.tables.tableformat import TableContent, TableFormat
from bench.report.tables.written import write_leaderboard
from bench.util.durable import seal
from tests.records.test_record import record

OURS = ("csv", "html", "json", "latex", "md", "terminal")
MINE = '''"""Org mode."""
from bench.report.tables.tableformat import TableContent, TableFormat


class Org(TableFormat):
    suffix = "org"

    def render(self, content: TableContent) -> str:
        rows = [f"| {row.method} | {row.scored} |" for one in content.board.boards for row in one.rows]
        return "\\n".join([f"* {content.sheet().title}", *rows, ""])
'''


class Foreign(TableFormat):
    """The format of another package."""

    suffix = "foreign"
    after_run = True

    def render(self, content: TableContent) -> str:
        """Return the name of the suite."""
        return content.board.suite


class Greedy(Foreign):
    """Wants the files of a format that ships."""

    suffix = "md"


class Broken(Foreign):
    """Fails."""

    def render(self, content: TableContent) -> str:
        """Fail."""
        raise RuntimeError("no ink")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Return the results of a suite with two cells, and one table that the suite declares."""
    results = Results(tmp_path / "results", "s")
    cells = []
    for seed in range(2):
        one = record(key=f"{seed:032}", seed=seed, metrics=dict.fromkeys(METRICS, seed / 10))
        results.put(one)
        cells.append([one.key, "d", "m", seed, False, False])
    table = {"id": "t", "caption": "Mine", "columns": ["ari"], "datasets": [], "reference": None}
    body = {"suite": "s", "title": "All", "metrics": ["acc"], "noise": "drop", "level": 0.95}
    (results.folder / "plan.json").write_bytes(seal({**body, "tables": [table], "cells": cells}))
    return results


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    group = "cutjoin.table_formats"
    here = "tests.report.tables.test_tableformat"
    declared = [
        importlib.metadata.EntryPoint("foreign", f"{here}:Foreign", group),
        importlib.metadata.EntryPoint("greedy", f"{here}:Greedy", group),
        importlib.metadata.EntryPoint("broken", f"{here}:Broken", group),
        importlib.metadata.EntryPoint("absent", "no.such.module:X", group),
    ]
    real = importlib.metadata.entry_points
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **kw: declared if kw.get("group") == group else real(**kw)
    )
    sockets.forget()
    yield
    monkeypatch.undo()
    sockets.forget()


def bench(*words: object) -> str:
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_ships() -> None:
    assert tuple(tableformat.TABLE_FORMATS.names()) == OURS
    assert [f.suffix for f in tableformat.for_files()] == ["csv", "html", "json", "tex", "md"]
    listed = bench("list", "table_format")
    assert all(f"  {name} " in listed for name in OURS)
    assert "CSV with full precision" in listed


def test_a_users_file_writes_tables_to_the_screen_and_into_files(results: Results, tmp_path: Path) -> None:
    mine = tmp_path / "org.py"
    mine.write_text(MINE)
    base = results.folder.parent
    assert bench("table", "s", "--results", base, "-f", mine) == "* All\n| m | 2 |\n"
    assert bench("table", "s", "--results", base, "-f", mine, "--table", "t") == "* Mine\n| m | 2 |\n"
    bench("tables", "s", "--results", base, "-f", mine, "-f", "csv", "--out", tmp_path / "out")
    written = sorted(p.name for p in (tmp_path / "out" / "s").iterdir())
    assert written == ["t.csv", "t.org"]
    assert (tmp_path / "out" / "s" / "t.org").read_text() == "* Mine\n| m | 2 |\n"


def test_another_package_writes_after_a_run(results: Results, foreign: None) -> None:
    written = write_leaderboard(results, {c.key: results.get(c.key) for c in results.read_plan().cells})
    assert written.suffixes() == "{csv,html,tex,md,foreign}"
    assert (results.folder / "leaderboard.foreign").read_text() == "s"
    assert (results.folder / "leaderboard.md").read_text().startswith("# All")
    assert [p.partition(":")[0] for p in written.problems] == [
        "table_format 'absent' (no.such.module",
        "table format 'broken' failed",
        "table format 'greedy'",
    ]
    assert bench("table", "s", "--results", results.folder.parent, "-f", "foreign") == "s"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('suffix = "org"', "pass", "`suffix` must be text"),
        ('suffix = "org"', 'suffix = "../org"', "`suffix` must be text"),
        ("def render", "def render_later", "cannot be created: TypeError"),
        ("content.sheet()", "content.no_sheet()", "failed: AttributeError"),
        ('return "\\n".join', "return len", "returned int instead of text"),
        ("class Org(TableFormat)", "class Org", "exactly one public TableFormat; found none"),
    ],
)
def test_what_is_wrong_with_a_users_format_is_one_sentence(
    results: Results, tmp_path: Path, before: str, after: str, message: str
) -> None:
    assert before in MINE
    mine = tmp_path / "org.py"
    mine.write_text(MINE.replace(before, after))
    with pytest.raises(AdapterError, match=message) as e:
        bench("table", "s", "--results", results.folder.parent, "-f", mine)
    assert "\n" not in str(e.value)


def test_formats_that_do_not_go_together(results: Results, tmp_path: Path) -> None:
    mine = tmp_path / "org.py"
    mine.write_text(MINE.replace('"org"', '"csv"'))
    base = results.folder.parent
    with pytest.raises(UsageError, match=r"would both end in \.csv"):
        bench("tables", "s", "--results", base, "-f", "csv", "-f", mine)
    with pytest.raises(UsageError, match="'terminal' is for a terminal"):
        bench("tables", "s", "--results", base, "-f", "terminal")
    with pytest.raises(UsageError, match="does not show published numbers"):
        bench("table", "s", "--results", base, "--against", "002_table_4", "-f", mine)
    with pytest.raises(AdapterError, match="did you mean 'latex'"):
        bench("table", "s", "--results", base, "-f", "latexx")
