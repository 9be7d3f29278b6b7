"""Our records beside published tables, as the commands ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench.errors import UsageError
from bench.records import reference
from bench.records.record import CellRecord
from bench.records.results import PlanOnDisk
from bench.records.summary import Scored
from bench.report.tables.against import PublishedComparison, compare
from bench.util.text import suggest

PAPER = "paper"
"""Stands for the published tables that the suite's tables name."""


def compared(
    plan: PlanOnDisk,
    scored_of: Callable[[str], Scored | None],
    record_of: Callable[[str], CellRecord | None],
    table: str | None = None,
    against: str = PAPER,
) -> list[PublishedComparison]:
    """Compare a plan with the published tables that its tables name, or with the one named `against`.

    Raises `UsageError` for unknown names, and where no table names a published one.
    """
    known = {str(t["id"]): t for t in plan.tables}
    if table is not None and table not in known:
        raise UsageError(f"{plan.suite} has no table {table!r}; {suggest(table, sorted(known))}")
    if against != PAPER:
        if against not in reference.tables():
            raise UsageError(
                f"--against: no published table {against!r}; {suggest(against, [PAPER, *reference.tables()])}"
            )
        return [compare(plan, scored_of, record_of, reference.read(against))]
    chosen = [known[table]] if table is not None else list(known.values())
    captions = {str(t["reference"]): str(t["caption"]) for t in chosen if t["reference"]}
    if not captions:
        what = f"table {table!r} of {plan.suite}" if table is not None else f"no table of {plan.suite}"
        raise UsageError(
            f"{what} names {'no' if table is not None else 'a'} published table (`reference:` in the suite); "
            f"--against also takes one of {', '.join(reference.tables())}"
        )
    return [
        compare(replace(plan, title=caption or plan.title), scored_of, record_of, reference.read(name))
        for name, caption in captions.items()
    ]
