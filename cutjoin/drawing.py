"""What authors of figures may use: see `cutjoin.Figure` and `cutjoin.SuiteFigure`.

`new(width, height)` is an empty matplotlib figure, in inches. `headed` writes a title above it, and dataset,
method, seed and notes below; `captioned` any caption. `Drawing` is what `draw` returns. `percent` and `short`
write numbers and names that fit. `COLOURS` can be told apart with any kind of colour vision.
"""

from bench.report.drawing.style import (
    COLOURS,
    MARKERS,
    Drawing,
    DrawOptions,
    captioned,
    headed,
    new,
    percent,
    short,
)

__all__ = [
    "COLOURS",
    "MARKERS",
    "DrawOptions",
    "Drawing",
    "captioned",
    "headed",
    "new",
    "percent",
    "short",
]
