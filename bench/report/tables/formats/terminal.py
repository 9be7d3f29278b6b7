"""Tables for a terminal, in colour and as wide as it is; what was published stands below."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.tables.tableformat import Screen, TableContent, TableFormat

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bench.report.tables.against import PublishedComparison

_FILE = Screen(width=160, is_terminal=False)


class Terminal(TableFormat):
    """Text for a terminal."""

    suffix = "txt"
    on_screen = True

    def render(self, content: TableContent) -> str:
        """Return a table per dataset; on a narrow screen the intervals are left out."""
        from bench.records import reference
        from bench.report.tables import render

        screen = content.screen or _FILE
        parts = render.terminal(content.board, screen.width, content.layout, content.blocks())
        if content.reference:
            parts.append(reference.terminal(content.reference))
        return _printed(parts, screen)

    def render_published(self, comparisons: Sequence[PublishedComparison], screen: Screen | None) -> str:
        """Return a table per published table, verdicts in colour."""
        from bench.report.tables.against_text import terminal

        return _printed(terminal(comparisons), screen or _FILE)


def _printed(parts: Sequence[RenderableType], screen: Screen) -> str:
    from rich.console import Console

    out = io.StringIO()
    force = True if screen.is_terminal else None
    console = Console(file=out, width=screen.width, force_terminal=force, highlight=False)
    for part in parts:
        console.print(part)
    return out.getvalue()
