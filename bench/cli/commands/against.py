"""`bench table --against`: our records beside published tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.cli.commands.inspect import wide_console
from bench.cli.results import opened
from bench.errors import DataError
from bench.records import reference
from bench.records.record import CellRecord
from bench.records.results import PlanOnDisk
from bench.records.store import Store
from bench.records.summary import Scored
from bench.report.tables.against import Comparison, compare
from bench.report.tables.against_text import comma_separated, html, latex, markdown, terminal, to_json
from bench.stages.rescore import up_to_date
from bench.util.text import suggest

PAPER = "paper"
"""Stands for the published tables that the suite's tables name."""
TEXT_FORMATS = {"md": markdown, "csv": comma_separated, "latex": latex, "html": html}


def show_against(
    name: str,
    profile: str | None,
    base: Path,
    table: str | None,
    against: str,
    format: str,
    store: Path | None = None,
) -> None:
    """Print the comparison of all of a suite's tables, or of one, with what was published."""
    known = ["terminal", *TEXT_FORMATS, "json"]
    if format not in known:
        raise DataError(f"--format: no format {format!r}; {suggest(format, known)}")
    results, plan = opened(name, profile, base)
    scored_of = up_to_date(results, Store(store) if store is not None else None)
    comparisons = compared(plan, scored_of, results.get, table, against)
    if format in TEXT_FORMATS:
        print(TEXT_FORMATS[format](comparisons), end="")
    elif format == "json":
        print(json.dumps(to_json(comparisons)))
    else:
        console = wide_console()
        for part in terminal(comparisons):
            console.print(part, highlight=False)


def compared(
    plan: PlanOnDisk,
    scored_of: Callable[[str], Scored | None],
    record_of: Callable[[str], CellRecord | None],
    table: str | None = None,
    against: str = PAPER,
) -> list[Comparison]:
    """Compare a plan with the published tables that its tables name, or with the one named `against`.

    Raises `DataError` for names that are not known, and where no table names a published one.
    """
    known = {str(t["id"]): t for t in plan.tables}
    if table is not None and table not in known:
        raise DataError(f"{plan.suite} has no table {table!r}; {suggest(table, sorted(known))}")
    if against != PAPER:
        if against not in reference.tables():
            raise DataError(
                f"--against: no published table {against!r}; {suggest(against, [PAPER, *reference.tables()])}"
            )
        return [compare(plan, scored_of, record_of, reference.read(against))]
    chosen = [known[table]] if table is not None else list(known.values())
    captions = {str(t["reference"]): str(t["caption"]) for t in chosen if t["reference"]}
    if not captions:
        what = f"table {table!r} of {plan.suite}" if table is not None else f"no table of {plan.suite}"
        raise DataError(
            f"{what} names {'no' if table is not None else 'a'} published table (`reference:` in the suite); "
            f"--against also takes one of {', '.join(reference.tables())}"
        )
    return [
        compare(replace(plan, title=caption or plan.title), scored_of, record_of, reference.read(name))
        for name, caption in captions.items()
    ]
