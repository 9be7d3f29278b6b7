"""LaTeX tables; they need the packages booktabs and, beside published ones, longtable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.tables.tableformat import Screen, TableContent, TableFormat

if TYPE_CHECKING:
    from bench.report.tables.against import PublishedComparison


class Latex(TableFormat):
    """LaTeX."""

    suffix = "tex"
    after_run = True

    def render(self, content: TableContent) -> str:
        """Return one table per block."""
        from bench.report.tables.render import latex

        return latex(content.board, content.layout, content.blocks())

    def render_published(self, comparisons: Sequence[PublishedComparison], screen: Screen | None) -> str:
        """Return one long table per published table."""
        from bench.report.tables.against_text import latex

        return latex(comparisons)
