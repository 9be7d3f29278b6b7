"""The map of one cell: every image a dot; a script lets pointer, fingers and keys look at the images."""

from __future__ import annotations

from bench.interfaces import Json
from bench.report.figures.cell import Cell
from bench.report.site import embedding
from bench.report.site.embedding import Source
from bench.report.site.html import Html, data, join, tag
from bench.report.site.shared import Shared

_HELP = (
    "Point at a dot, or tap it, to see its image. Keys: arrows go to the next dot, Home to the first, "
    "plus and minus zoom, 0 shows all, Escape lets go. Drag to move, pinch or Ctrl and wheel to zoom; "
    "the wheel alone once the map has been clicked."
)


def markup(cell: Cell, source: Source, shared: Shared) -> Html:
    """Return the map and its data. Raises `DataError` if the images cannot be placed."""
    rows = shared.rows(cell)
    n = len(cell.clusters)
    x, y = shared.points(cell, source, rows)
    columns = embedding.coloured_by(cell)
    ids = [str(cell.images.ids[row]) for row in rows]
    held: dict[str, Json] = {
        "n": len(rows),
        "x": x,
        "y": y,
        "ids": list[Json](ids),
        "columns": [embedding.described(c, rows) for c in columns],
        "sheets": shared.sheets(cell, rows),
    }
    some = f" {len(rows):,} of {n:,} images, drawn by chance with seed 0." if len(rows) < n else ""
    options = [tag("option", c.name, value=i) for i, c in enumerate(columns)]
    zoom = [
        tag("button", sign, type="button", id=f"map-{what}", aria_label=label)
        for sign, what, label in (
            ("+", "in", "Zoom in"),
            ("\N{MINUS SIGN}", "out", "Zoom out"),
            ("All", "all", "Show all"),
        )
    ]
    canvas = tag(
        "canvas",
        id="map",
        tabindex=0,
        role="application",
        aria_roledescription="map of images",
        aria_label=f"Map of {len(rows):,} images: {source.said}",
        aria_describedby="map-help",
    )
    shown = [
        tag("canvas", id="map-image", width=160, height=160, aria_hidden="true"),
        tag("p", id="map-text", role="status"),
    ]
    tools = [
        tag("label", "Colour by ", tag("select", options, id="map-by")),
        tag("span", zoom, class_="zoom"),
    ]
    inside = [
        tag("p", f"Places: {source.said}.{some}", class_="note"),
        tag("div", tools, class_="tools"),
        tag("div", canvas, tag("div", shown, id="map-tip", hidden=True), class_="frame"),
        tag("ul", id="map-legend", class_="key", aria_label="Groups; press one to see it alone"),
        tag("p", _HELP, id="map-help", class_="note"),
    ]
    without = tag("noscript", tag("p", "The map needs JavaScript.", class_="note"))
    return join([tag("div", inside, class_="map"), without, data("map-data", held)])
