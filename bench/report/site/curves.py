"""Losses of the trainings as drawings within the page: one panel per quantity, one line per seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.records.record import CellRecord
from bench.util.html import Html, tag

_WIDTH, _HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 34
_TICKS = 4
_LEAST = 1e-300
"""A range below it counts as empty: the steps within would underflow."""
_LINES = 7
"""Colours there are."""

Points = list[tuple[float, float]]


def curves(records: Sequence[CellRecord]) -> list[Html]:
    """Return one figure per training and quantity; none if nothing was trained step by step."""
    panels: dict[tuple[str, str], list[tuple[int, Points]]] = {}
    for record in records:
        for stage in record.stages:
            adapter = stage.adapter.partition("@")[0]
            for name, points in (stage.facts.get("curve") or {}).items():
                finite = [(float(x), float(y)) for x, y in points if _finite(x, y)]
                if finite:
                    panels.setdefault((adapter, str(name)), []).append((record.seed, finite))
    return [
        _panel(f"{adapter}: {name.replace('_', ' ')}", lines) for (adapter, name), lines in panels.items()
    ]


def _finite(*values: object) -> bool:
    return all(isinstance(v, (int, float)) and math.isfinite(v) for v in values)


def _panel(title: str, lines: list[tuple[int, Points]]) -> Html:
    xs = [x for _, points in lines for x, _ in points]
    ys = [y for _, points in lines for _, y in points]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    (left, right), (low, high) = (min(xs), max(xs)), (y_ticks[0], y_ticks[-1])

    def position(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left) if right > left else 0.5
        up = (y - low) / (high - low)
        wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + across * wide, 1), round(_TOP + (1 - up) * tall, 1)

    drawn = []
    for y in y_ticks:
        _, at = position(left, y)
        drawn.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=at, y2=at, class_="grid"))
        drawn.append(tag("text", f"{y:g}", x=_LEFT - 6, y=at + 4, text_anchor="end"))
    at_foot = {"text_anchor": "middle", "y": str(_HEIGHT - 16)}
    inside = [x for x in x_ticks if left <= x <= right]
    drawn += [tag("text", f"{x:g}", x=position(x, low)[0], **at_foot) for x in inside]
    drawn.append(tag("text", "step", x=(_LEFT + _WIDTH) / 2, y=_HEIGHT - 2, text_anchor="middle"))
    for i, (_, points) in enumerate(lines):
        path = " ".join(f"{x},{y}" for x, y in (position(*p) for p in points))
        drawn.append(tag("polyline", points=path, class_=f"line s{i % _LINES}"))
    text = "; ".join(f"seed {seed}: {p[0][1]:.4g} to {p[-1][1]:.4g}" for seed, p in lines)
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    picture = tag(
        "svg", drawn, viewBox=box, role="img", aria_label=f"{title}, by step. {text}", class_="curve"
    )
    key = [
        tag(
            "li",
            tag("i", class_=f"dot g{i % _LINES}", aria_hidden="true"),
            f" seed {seed}: ends at {p[-1][1]:.4g}",
        )
        for i, (seed, p) in enumerate(lines)
    ]
    return tag("figure", picture, tag("figcaption", tag("strong", title), tag("ul", key, class_="key")))


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers, evenly spaced, that enclose an interval: at least two."""
    span = high - low or abs(high)
    span = span if span > _LEAST else 1.0
    raw = span / _TICKS
    step = 10.0 ** math.floor(math.log10(raw))
    step *= next(m for m in (1, 2, 5, 10) if m * step >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:
        last += 1
    return [float(f"{i * step:.9g}") for i in range(first, last + 1)]
