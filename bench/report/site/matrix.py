"""A matrix of similarities on the page: the picture, the borders and names of its groups, the scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.report.drawing.style import short
from bench.report.site.pictures import SimilarityPicture
from bench.util.html import Html, tag

_SIDE, _NAMES = 480, 150
_SMALLEST_NAMED = 11
"""Height from which a group has room for its name."""
_SCALE = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
"""Of viridis, in even steps."""


def markup(found: SimilarityPicture, file: str, classes: Sequence[str], *, by_class: bool) -> Html:
    """Return the figure; `file` is the picture's address as seen from the page."""
    unit = _SIDE / found.side
    unknown = "no class" if by_class else "noise"
    drawn = [tag("image", href=file, x=_NAMES, y=0, width=_SIDE, height=_SIDE, class_="pixels")]
    for group, first, count in found.spans:
        name = unknown if group < 0 else classes[group] if by_class else f"cluster {group}"
        y = round(first * unit, 1)
        if first:
            at = {"x1": _NAMES, "x2": _NAMES + _SIDE, "y1": y, "y2": y}
            drawn.append(tag("line", **at, class_="border"))
            x = _NAMES + y
            drawn.append(tag("line", x1=x, x2=x, y1=0, y2=_SIDE, class_="border"))
        if count * unit >= _SMALLEST_NAMED:
            middle = round(y + count * unit / 2 + 4, 1)
            drawn.append(tag("text", short(name, 22), x=_NAMES - 6, y=middle, text_anchor="end"))
    what = "cosine of features" if found.what == "features" else found.what
    order, between = ("class", "classes") if by_class else ("cluster", "clusters")
    means = f"mean within a {order} {_shown(found.within)}, between {between} {_shown(found.between)}"
    label = f"Similarities of {found.side} images, ordered by {order}: {means}"
    box = f"0 0 {_NAMES + _SIDE} {_SIDE}"
    picture = tag("svg", drawn, viewBox=box, role="img", aria_label=label, class_="matrix")
    text = f"{what}, {found.side} images ordered by {order}; {means}."
    return tag("figure", picture, tag("figcaption", _scale(found.low), tag("p", text)))


def _scale(low: float) -> Html:
    steps = [tag("rect", x=i * 24, y=0, width=24, height=12, fill=c) for i, c in enumerate(_SCALE)]
    bar = tag("svg", steps, viewBox=f"0 0 {24 * len(_SCALE)} 12", class_="scale", aria_hidden="true")
    return tag("p", f"{low:.2f} ", bar, " 1")


def _shown(mean: float) -> str:
    return "undefined" if math.isnan(mean) else f"{mean:.3g}"
