"""`bench table --against`: our records beside published tables."""

from __future__ import annotations

import sys

from bench.cli.console import screen
from bench.cli.options.reports import TableOptions
from bench.cli.published import PAPER, compared
from bench.cli.results import opened
from bench.errors import UsageError
from bench.records.store import Store
from bench.report.tables import tableformat
from bench.stages.rescore import up_to_date


def show_against(options: TableOptions) -> None:
    """Print the comparison of all of a suite's tables, or of one, with what was published."""
    format = tableformat.load(options.chosen_format)
    results, plan = opened(options.suite, options.results)
    scored_of = up_to_date(results, Store(options.store))
    comparisons = compared(plan, scored_of, results.get, options.table, options.against or PAPER)
    text = format.render_published(comparisons, screen())
    if text is None:
        raise UsageError(f"--against: table format {format.use!r} does not show published numbers")
    sys.stdout.write(text)
