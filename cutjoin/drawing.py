"""What authors of figures may use: see `cutjoin.Figure` and `cutjoin.SuiteFigure`.

`new(width, height)` is an empty matplotlib figure, `headed` writes title, dataset, method and seed on it, and
`Drawing` is what `draw` returns. `percent` and `short` write numbers and names that fit.
"""

from bench.report.drawing.style import Drawing, DrawOptions, headed, new, percent, short

__all__ = ["DrawOptions", "Drawing", "headed", "new", "percent", "short"]
