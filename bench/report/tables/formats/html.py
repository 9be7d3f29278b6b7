"""One HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.tables.tableformat import Screen, TableContent, TableFormat

if TYPE_CHECKING:
    from bench.report.tables.against import PublishedComparison


class HtmlPage(TableFormat):
    """HTML."""

    suffix = "html"
    after_run = True

    def render(self, content: TableContent) -> str:
        """Return a page."""
        from bench.report.tables.html import page

        return page(content.sheet())

    def render_published(self, comparisons: Sequence[PublishedComparison], screen: Screen | None) -> str:
        """Return a page."""
        from bench.report.tables.against_text import html

        return html(comparisons)
