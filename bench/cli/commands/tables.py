"""`bench tables`: every table that suites declare, drawn from the records into files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.cli.commands import against
from bench.cli.commands.inspect import wide_console
from bench.cli.results import opened
from bench.errors import DataError
from bench.records.results import PlanOnDisk, Results
from bench.records.store import Store
from bench.records.summary import Scored
from bench.report.tables import against_text, render
from bench.report.tables.against import Comparison
from bench.report.tables.layout import Layout, declared
from bench.report.tables.leaderboard import Leaderboard
from bench.stages.rescore import up_to_date
from bench.suite import suitefile
from bench.util.durable import Damaged, write_whole
from bench.util.text import suggest
from bench.util.yamlfile import FileError
from bench.util.yamlfile import read as read_yaml

FORMATS = {"md": "md", "csv": "csv", "latex": "tex", "html": "html", "json": "json"}
"""From the name of a format to the ending of its files."""


@dataclass
class Summary:
    """What was written, and what is missing and why."""

    written: list[Path] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)
    """Tables, or parts of them, of suites that have run."""
    not_run: list[str] = field(default_factory=list)
    """Shipped suites without results."""

    def add(self, suite: str, table: str, why: str) -> None:
        """Note that a table of a suite is missing, or not whole."""
        self.missing.append({"suite": suite, "table": table, "why": why})


def write_tables(
    names: Sequence[str],
    profile: str | None,
    base: Path,
    out: Path | None,
    formats: Sequence[str],
    store: Path | None,
    *,
    every: bool,
    as_json: bool,
) -> int:
    """Write the tables of suites, or of every suite with results; return 1 if any is missing or not whole.

    Parameters
    ----------
    names : suites by name or file; empty with `every`.
    out : gets one folder per suite; unless given, `tables/` in the results of each.
    formats : of `FORMATS`; empty: all.
    store : has the labels of records whose scores are of another version of the metrics.
    """
    if bool(names) == every:
        raise DataError("name the suites whose tables are wanted, or give --all, not both")
    for name in formats:
        if name not in FORMATS:
            raise DataError(f"--format: no format {name!r}; {suggest(name, list(FORMATS))}")
    if every:
        names = sorted(p.parent.name for p in base.glob("*/plan.json"))
        if not names:
            raise DataError(f"nothing has run into {base} yet")
    summary = Summary()
    for name in names:
        try:
            results, plan = opened(name, profile, base)
        except Damaged as e:
            summary.add(name, "all", str(e))
            continue
        folder = out / results.suite if out else results.folder / "tables"
        scored_of = _remembered(up_to_date(results, Store(store) if store is not None else None))
        _write_suite(results, plan, scored_of, folder, formats or list(FORMATS), summary)
    if every:
        summary.not_run = [s for s in suitefile.shipped() if not _runs_of(s, names)]
    _report(summary, as_json=as_json)
    return 1 if summary.missing else 0


def _write_suite(
    results: Results,
    plan: PlanOnDisk,
    scored_of: Callable[[str], Scored | None],
    folder: Path,
    formats: Sequence[str],
    summary: Summary,
) -> None:
    for table in plan.tables:
        name = str(table["id"])
        try:
            board, layout = declared(plan, table, scored_of)
            if lack := _lack(board):
                summary.add(results.suite, name, lack)
            if any(row.scored for one in board.boards for row in one.rows):
                beside = against.compared(plan, scored_of, results.get, name) if table["reference"] else []
                for file, text in _files(name, board, layout, beside, formats):
                    write_whole(folder / file, text.encode())
                    summary.written.append(folder / file)
        except (Damaged, DataError, FileError) as e:
            summary.add(results.suite, name, str(e))
    for late in _declared_later(plan):
        why = "declared after the run; the same `bench run` again takes it up, from the cache"
        summary.add(results.suite, late, why)


def _lack(board: Leaderboard) -> str:
    """Return what a table lacks, or nothing."""
    rows = [row for one in board.boards for row in one.rows]
    planned, scored = sum(r.planned for r in rows), sum(r.scored for r in rows)
    if not planned:
        return "no cell of the run belongs to it"
    absent: Counter[str] = Counter()
    for row in rows:
        absent.update(row.missing())
    said = ", ".join(f"{n} {status}" for status, n in sorted(absent.items()))
    return f"{planned - scored} of its {planned} cells have no scores: {said}" if scored < planned else ""


def _files(
    stem: str, board: Leaderboard, layout: Layout, beside: Sequence[Comparison], formats: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield name and content of the files of one table, and of it beside what was published."""
    ours: dict[str, Callable[[], str]] = {
        "md": lambda: render.markdown(board, layout),
        "csv": lambda: render.comma_separated(board),
        "latex": lambda: render.latex(board, layout),
        "html": lambda: render.html(board, layout),
        "json": lambda: _json(render.to_json(board)),
    }
    for name in formats:
        yield f"{stem}.{FORMATS[name]}", ours[name]()
        if beside:
            text = (
                against.TEXT_FORMATS[name](beside) if name != "json" else _json(against_text.to_json(beside))
            )
            yield f"{stem}.against.{FORMATS[name]}", text


def _json(body: object) -> str:
    return json.dumps(body, indent=1) + "\n"


def _remembered(get: Callable[[str], Scored | None]) -> Callable[[str], Scored | None]:
    known: dict[str, Scored | None] = {}

    def scored_of(key: str) -> Scored | None:
        if key not in known:
            known[key] = get(key)
        return known[key]

    return scored_of


def _declared_later(plan: PlanOnDisk) -> list[str]:
    """Return the tables that a shipped suite has now and its run did not know."""
    stems = [s for s in suitefile.shipped() if _runs_of(s, [plan.suite])]
    if not stems:
        return []
    tree = read_yaml(suitefile.shipped()[max(stems, key=len)])
    if tree.value.get("title", "") != plan.title:  # a suite of the user's with this name
        return []
    known = {str(t["id"]) for t in plan.tables}
    return [str(t["id"]) for t in tree.value.get("tables", []) if str(t["id"]) not in known]


def _runs_of(stem: str, names: Sequence[str]) -> list[str]:
    """Return the results that are of a shipped suite: of its own name, or with one of its profiles."""
    if stem in names:
        return [stem]
    if not any(n.startswith(f"{stem}-") for n in names):
        return []
    profiles = read_yaml(suitefile.shipped()[stem]).value.get("profiles", {})
    return [n for n in names if n in {f"{stem}-{p}" for p in profiles}]


def _report(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        body = {"written": [str(p) for p in summary.written]}
        print(json.dumps({**body, "missing": summary.missing, "not_run": summary.not_run}))
        return
    console = wide_console()
    for folder in dict.fromkeys(p.parent for p in summary.written):
        names = [p.name for p in summary.written if p.parent == folder]
        console.print(f"{folder}: {', '.join(names)}", markup=False, highlight=False, soft_wrap=True)
    for one in summary.missing:
        said = f"missing: {one['suite']}, {one['table']}: {one['why']}"
        console.print(said, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if summary.not_run:
        said = f"not run: {', '.join(summary.not_run)}"
        console.print(said, style="dim", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(summary.written)} files written", highlight=False)
