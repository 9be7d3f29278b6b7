"""GitHub Markdown; what was published stands below the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.tables.tableformat import Screen, TableContent, TableFormat

if TYPE_CHECKING:
    from bench.report.tables.against import PublishedComparison


class Markdown(TableFormat):
    """GitHub Markdown."""

    suffix = "md"
    after_run = True

    def render(self, content: TableContent) -> str:
        """Return one heading and one table per dataset; printed, the published table follows."""
        from bench.records import reference
        from bench.report.tables.render import markdown

        text = markdown(content.board, content.layout, content.blocks())
        if content.reference and content.screen:
            text += f"\n{reference.markdown(content.reference)}"
        return text

    def render_published(self, comparisons: Sequence[PublishedComparison], screen: Screen | None) -> str:
        """Return one table per published table."""
        from bench.report.tables.against_text import markdown

        return markdown(comparisons)
