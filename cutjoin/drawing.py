"""What authors of figures may use: see `cutjoin.Figure` and `cutjoin.SuiteFigure`.

`new(width, height)` is an empty matplotlib figure, in inches. `headed` writes a title above it, and dataset,
method, seed and notes below; `captioned` any caption. `Drawing` is what `draw` returns. `percent` and `short`
write numbers and names that fit. `COLOURS` can be told apart with any kind of colour vision.

>>> from cutjoin.drawing import COLOURS, captioned, new, percent
>>> figure = new(5, 3)
>>> bars = figure.subplots().bar(["a", "b"], [1, 2], color=COLOURS[:2])
>>> captioned(figure, "Title", f"Shown: {percent(0.25)} of the images.")
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
