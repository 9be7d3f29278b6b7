"""The map of one cell: every image a dot; a script lets pointer, fingers and keys look at the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.interfaces import Json
from bench.report.drawing import columns
from bench.report.site import embedding
from bench.report.site.embedding import MapSource
from bench.report.site.html import data
from bench.report.site.shared import Shared
from bench.stages.finished import FinishedCell
from bench.util.html import Html, join, tag

_HELP = (
    "Point at a dot, or tap it, to see its image. Keys: arrows go to the next dot, Home to the first, "
    "plus and minus zoom, 0 shows all, Escape lets go. Drag to move, pinch or Ctrl and wheel to zoom; "
    "the wheel alone once the map has been clicked."
)


@dataclass(frozen=True)
class Placed:
    """One seed on the map."""

    cell: FinishedCell
    payload: dict[str, Json]
    """Its positions and clusters, for the script."""


def placed(cell: FinishedCell, source: MapSource, shared: Shared) -> Placed:
    """Place the images of one seed. Raises `DataError` if that cannot be done."""
    rows = shared.rows(cell)
    x, y = shared.points(cell, source, rows)
    own = embedding.described(columns.clusters(cell), rows)
    return Placed(cell, {"x": x, "y": y, "column": own})


def markup(seeds: Sequence[Placed], caption: str, shared: Shared) -> Html:
    """Return the map, of the first seed until another one is chosen, and its data.

    Parameters
    ----------
    seeds : of one method on the same images.
    caption : how the positions were computed.

    Raises `DataError` if the images cannot be read.
    """
    cell = seeds[0].cell
    rows, n = shared.rows(cell), len(cell.clusters)
    label = columns.labels(cell)
    before, after = [label] if label else [], columns.grouping(cell)
    payload: dict[str, Json] = {
        "n": len(rows),
        "ids": [str(cell.images.ids[row]) for row in rows],
        "columns": [embedding.described(c, rows) for c in (*before, *after)],
        "own": len(before),
        "seeds": [one.payload for one in seeds],
        "sheets": shared.sheets(cell, rows),
    }
    some = f" {len(rows):,} of {n:,} images, drawn by chance with seed 0." if len(rows) < n else ""
    names = [c.name for c in (*before, columns.clusters(cell), *after)]
    options = [tag("option", name, value=i) for i, name in enumerate(names)]
    of_seeds = [tag("option", one.cell.record.seed, value=i) for i, one in enumerate(seeds)]
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
        aria_label=f"Map of {len(rows):,} images: {caption}",
        aria_describedby="map-help",
    )
    shown = [
        tag("canvas", id="map-image", width=160, height=160, aria_hidden="true"),
        tag("p", id="map-text", role="status"),
    ]
    tools = [
        tag("label", "Colour by ", tag("select", options, id="map-by")),
        tag("label", "Seed ", tag("select", of_seeds, id="map-seed"), hidden=len(seeds) == 1),
        tag("span", zoom, class_="zoom"),
    ]
    inside = [
        tag("p", f"Positions: {caption}.{some}", class_="note"),
        tag("div", tools, class_="tools"),
        tag("div", canvas, tag("div", shown, id="map-tip", hidden=True), class_="frame"),
        tag("ul", id="map-legend", class_="key", aria_label="Groups; press one to see it alone"),
        tag("p", _HELP, id="map-help", class_="note"),
    ]
    without = tag("noscript", tag("p", "The map needs JavaScript.", class_="note"))
    return join([tag("div", inside, class_="map"), without, data("map-data", payload)])
