"""CSV with full precision, a line per dataset and method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.tables.tableformat import Screen, TableContent, TableFormat

if TYPE_CHECKING:
    from bench.report.tables.against import PublishedComparison


class CommaSeparated(TableFormat):
    """Comma-separated values."""

    suffix = "csv"
    after_run = True

    def render(self, content: TableContent) -> str:
        """Return a line per dataset and method; with tests, a line per pair of methods instead."""
        from bench.report.tables import comparison, render

        if content.tests is not None:
            return comparison.comma_separated(content.tests)
        return render.comma_separated(content.board)

    def render_published(self, comparisons: Sequence[PublishedComparison], screen: Screen | None) -> str:
        """Return a line per published number."""
        from bench.report.tables.against_text import comma_separated

        return comma_separated(comparisons)
