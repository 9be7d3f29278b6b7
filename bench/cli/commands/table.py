"""`bench table`: the leaderboard, or a table that the suite declares, in one of the formats."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.cli.console import screen
from bench.cli.options.reports import TableOptions
from bench.cli.results import opened, refuse_other_suite
from bench.report.tables import tableformat
from bench.report.tables.cache import TableCache
from bench.report.tables.tableformat import NamedFormat, Screen, TableContent
from bench.suite.names import results_name

_LOOKS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
"""Environment variables that change what a terminal shows."""


def show_table(options: TableOptions) -> None:
    """Print a table, with `pairs` followed by tests of all pairs of methods.

    What was published goes below it, for readers: on a terminal and in Markdown. Records scored with another
    version of the metrics are scored again from the store. Raises `UsageError` for unknown names.
    """
    format, where = tableformat.load(options.chosen_format), screen()
    refuse_other_suite(options.suite, options.results)
    cached = TableCache(
        options.results / results_name(options.suite.name, options.suite.profile),
        _request(options, format, where),
    )
    text = cached.read() if format.is_built_in else None
    if text is None:
        with _uncollected():
            text, lasting = _drawn(options, format, where)
        if lasting and format.is_built_in:  # what a user's format depends on is not known
            cached.write(text)
    sys.stdout.write(text)


def _request(options: TableOptions, format: NamedFormat, where: Screen) -> list[str]:
    """Return all that decides on the text, besides the results."""
    request = [options.table or "", format.use, str(options.pairs)]
    if format.format.on_screen:
        request += [str(where.width), str(where.is_terminal), *(os.environ.get(n, "") for n in _LOOKS)]
    return request


@contextmanager
def _uncollected() -> Iterator[None]:
    """Disable the garbage collector: what thousands of records become lives until it is printed."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _drawn(options: TableOptions, format: NamedFormat, where: Screen) -> tuple[str, bool]:
    """Return the text of a table, and whether it stays so as long as the records do."""
    from bench.errors import UsageError
    from bench.records.store import Store
    from bench.report.tables.comparison import compare
    from bench.report.tables.layout import declared
    from bench.report.tables.leaderboard import build
    from bench.stages.rescore import up_to_date
    from bench.util.text import suggest

    results, plan = opened(options.suite, options.results)
    known = {str(t["id"]): t for t in plan.tables}
    table = options.table
    if table is not None and table not in known:
        raise UsageError(f"{plan.suite} has no table {table!r}; {suggest(table, sorted(known))}")
    record_of = up_to_date(results, Store(options.store))
    layout = reference = None
    if table is None:
        board = build(plan, record_of)
    else:
        board, layout = declared(plan, known[table], record_of)
        reference = known[table]["reference"]
    content = TableContent(board, layout, compare(board) if options.pairs else None, reference, where)
    return format.render(content), not board.outdated
