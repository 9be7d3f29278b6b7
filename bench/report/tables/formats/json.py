"""JSON with everything that the tables say, for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report.tables.tableformat import Screen, TableContent, TableFormat

if TYPE_CHECKING:
    from bench.report.tables.against import PublishedComparison


class JsonObject(TableFormat):
    """JSON: one line where it is printed, indented in a file."""

    suffix = "json"

    def render(self, content: TableContent) -> str:
        """Return one object; with tests, they are its `comparisons`."""
        from bench.report.tables import comparison, render

        body = render.to_json(content.board)
        if content.tests is not None:
            body["comparisons"] = [comparison.to_json(c) for c in content.tests]
        return _text(body, content.screen)

    def render_published(self, comparisons: Sequence[PublishedComparison], screen: Screen | None) -> str:
        """Return a list with an object per published table."""
        from bench.report.tables.against_text import to_json

        return _text(to_json(comparisons), screen)


def _text(body: object, screen: Screen | None) -> str:
    return json.dumps(body, indent=None if screen else 1) + "\n"
