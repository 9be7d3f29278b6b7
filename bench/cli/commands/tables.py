"""`bench tables`: every table that suites declare, drawn from the records into files."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.cli.console import wide_console
from bench.cli.options.groups import SuiteRef
from bench.cli.options.reports import TablesOptions
from bench.cli.published import compared
from bench.cli.results import opened
from bench.errors import CutjoinError, UsageError
from bench.records.results import PlanOnDisk, Results
from bench.records.store import Store
from bench.records.summary import Scored
from bench.report.tables import tableformat
from bench.report.tables.against import PublishedComparison
from bench.report.tables.layout import declared
from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.tableformat import NamedFormat, TableContent
from bench.stages.rescore import up_to_date
from bench.suite.names import results_name, shipped
from bench.util.durable import Damaged, write_whole
from bench.util.yamlfile import read as read_yaml


@dataclass
class WriteSummary:
    """What was written, and what is missing and why."""

    written: list[Path] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)
    """Tables, or parts of them, of suites that have run."""
    not_run: list[str] = field(default_factory=list)
    """Shipped suites without results."""

    def add(self, suite: str, table: str, why: str) -> None:
        """Record that a table of a suite is missing or incomplete."""
        self.missing.append({"suite": suite, "table": table, "why": why})


def write_tables(options: TablesOptions) -> int:
    """Write the tables of suites, or of all with results; return 1 if any is missing or incomplete."""
    names = _suites(options)
    formats = [tableformat.load(use) for use in options.format or ()] or tableformat.for_files()
    _check_suffixes(formats)
    summary = WriteSummary()
    for name in names:
        try:
            results, plan = opened(SuiteRef(name=name, profile=options.profile), options.results)
        except Damaged as e:
            summary.add(name, "all", str(e))
            continue
        folder = options.out / results.suite if options.out else results.folder / "tables"
        scored_of = functools.cache(up_to_date(results, Store(options.store)))
        _write_suite(_Source(results, plan, scored_of), folder, formats, summary)
    if options.every:
        summary.not_run = [s for s in shipped() if not _runs_of(s, names)]
    _report(summary, as_json=options.json)
    return 1 if summary.missing else 0


def _suites(options: TablesOptions) -> list[str]:
    names = options.suites or []
    if bool(names) == options.every:
        raise UsageError("name the suites whose tables are to be written, or give --all, not both")
    if not options.every:
        return names
    found = sorted(p.parent.name for p in options.results.glob("*/plan.json"))
    if not found:
        raise UsageError(f"nothing has run into {options.results} yet")
    return found


def _check_suffixes(formats: Sequence[NamedFormat]) -> None:
    by_suffix: dict[str, str] = {}
    for one in formats:
        if one.format.on_screen:
            raise UsageError(f"--format: {one.use!r} is for a terminal; no files are written in it")
        other = by_suffix.setdefault(one.suffix, one.use)
        if other != one.use:
            raise UsageError(f"--format: files of {other!r} and {one.use!r} would both end in .{one.suffix}")


@dataclass(frozen=True)
class _Source:
    """Results of one suite, opened."""

    results: Results
    plan: PlanOnDisk
    scored_of: Callable[[str], Scored | None]


def _write_suite(
    source: _Source, folder: Path, formats: Sequence[NamedFormat], summary: WriteSummary
) -> None:
    results, plan, scored_of = source.results, source.plan, source.scored_of
    for table in plan.tables:
        name = str(table["id"])
        try:
            board, layout = declared(plan, table, scored_of)
            if reason := _deficiency(board):
                summary.add(results.suite, name, reason)
            if any(row.scored for one in board.boards for row in one.rows):
                beside = compared(plan, scored_of, results.get, name) if table["reference"] else []
                content = TableContent(board, layout)
                for file, text in _files(name, content, beside, formats):
                    write_whole(folder / file, text.encode())
                    summary.written.append(folder / file)
        except CutjoinError as e:
            summary.add(results.suite, name, str(e))
    for late in _declared_later(plan):
        why = (
            "declared after the run; run the same `bench run` again to include it; cached results are reused"
        )
        summary.add(results.suite, late, why)


def _deficiency(board: Leaderboard) -> str:
    """Return what a table lacks; empty if it is complete."""
    rows = [row for one in board.boards for row in one.rows]
    planned, scored = sum(r.planned for r in rows), sum(r.scored for r in rows)
    if not planned:
        return "no cell of the run belongs to it"
    absent: Counter[str] = Counter()
    for row in rows:
        absent.update(row.missing())
    counts = ", ".join(f"{n} {status}" for status, n in sorted(absent.items()))
    return f"{planned - scored} of its {planned} cells have no scores: {counts}" if scored < planned else ""


def _files(
    stem: str, content: TableContent, beside: Sequence[PublishedComparison], formats: Sequence[NamedFormat]
) -> Iterator[tuple[str, str]]:
    """Yield name and content of the files of one table, and of it beside what was published."""
    for format in formats:
        yield f"{stem}.{format.suffix}", format.render(content)
        if beside and (text := format.render_published(beside)) is not None:
            yield f"{stem}.against.{format.suffix}", text


def _declared_later(plan: PlanOnDisk) -> list[str]:
    """Return the tables that a shipped suite declares now but did not when it ran."""
    stems = [s for s in shipped() if _runs_of(s, [plan.suite])]
    if not stems:
        return []
    tree = read_yaml(shipped()[max(stems, key=len)])
    if tree.value.get("title", "") != plan.title:  # a suite of the user's with this name
        return []
    known = {str(t["id"]) for t in plan.tables}
    return [str(t["id"]) for t in tree.value.get("tables", []) if str(t["id"]) not in known]


def _runs_of(stem: str, names: Sequence[str]) -> list[str]:
    """Return the results that belong to a shipped suite: by its own name, or with one of its profiles."""
    if stem in names:
        return [stem]
    if not any(n.startswith(stem) for n in names):
        return []
    profiles = read_yaml(shipped()[stem]).value.get("profiles", {})
    return [n for n in names if n in {results_name(stem, p) for p in profiles}]


def _report(summary: WriteSummary, *, as_json: bool) -> None:
    if as_json:
        body = {"written": [str(p) for p in summary.written]}
        print(json.dumps({**body, "missing": summary.missing, "not_run": summary.not_run}))
        return
    console = wide_console()
    for folder in dict.fromkeys(p.parent for p in summary.written):
        names = [p.name for p in summary.written if p.parent == folder]
        console.print(f"{folder}: {', '.join(names)}", markup=False, highlight=False, soft_wrap=True)
    for one in summary.missing:
        line = f"missing: {one['suite']}, {one['table']}: {one['why']}"
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if summary.not_run:
        line = f"not run: {', '.join(summary.not_run)}"
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(summary.written)} files written", highlight=False)
