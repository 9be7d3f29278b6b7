"""Images as dots in the plane."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bench.report.drawing.columns import ImageColumn
from bench.report.drawing.plane import Plane
from bench.report.drawing.style import COLOURS, MARKERS, NEUTRAL, SCALE, colour, short

MOST_GROUPS = 20
"""Groups with a colour and shape of their own, the largest; the others share one."""
_TURNS = 8
"""Groups are drawn in turns, so that the last one does not cover all others."""
_VECTORS = 3000
"""Above this number of points an SVG holds them as pixels: viewers struggle with more."""

Drawn: TypeAlias = tuple[PathCollection, NDArray[np.int64]]
"""The points of one group, and which points of the plane they are."""


def scatter(ax: Axes, found: Plane, column: ImageColumn, *, legend: bool = True) -> list[Drawn]:
    """Colour the points by a column: shapes for groups, a scale for numbers. Return what was drawn."""
    codes = column.codes[found.rows]
    ax.set_xticks([])
    ax.set_yticks([])
    _frame(ax, found)
    size = float(np.clip(5000 / len(found.rows), 2, 22))
    flat: dict[str, Any] = {"s": size, "linewidths": 0, "rasterized": len(found.rows) > _VECTORS}
    if column.ordered and len(column.groups) > 2:
        _scaled(ax, found, column, flat, legend=legend)
        return []
    counts = np.bincount(codes[codes >= 0], minlength=len(column.groups))
    largest = np.sort(np.argsort(-counts, kind="stable")[:MOST_GROUPS])
    drawn: list[Drawn] = []
    rest = np.flatnonzero((codes >= 0) & ~np.isin(codes, largest))
    for rows, name in ((np.flatnonzero(codes < 0), _nothing(column)), (rest, "others")):
        if rows.size:
            label = f"{name} ({rows.size:,})"
            dots = ax.scatter(*_xy(found, rows), color="#c4c4c4", marker="o", label=label, **flat)
            drawn.append((dots, rows))
    members = [np.random.default_rng(0).permutation(np.flatnonzero(codes == code)) for code in largest]
    for turn in range(_TURNS):
        for index, (code, own) in enumerate(zip(largest, members, strict=True)):
            named = f"{short(column.groups[code])} ({own.size:,})" if turn == 0 else None
            kind: dict[str, Any] = {"color": colour(index), "marker": MARKERS[index // len(COLOURS)]}
            rows = own[turn::_TURNS]
            dots = ax.scatter(*_xy(found, rows), label=named, alpha=0.85, **kind | flat)
            drawn.append((dots, rows))
    if legend:
        ax.legend(
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            markerscale=max(1.0, (26 / size) ** 0.5),
            labelspacing=0.35,
            handletextpad=0.2,
        )
    return drawn


def _scaled(ax: Axes, found: Plane, column: ImageColumn, flat: dict[str, Any], *, legend: bool) -> None:
    codes = column.codes[found.rows]
    missing = codes < 0
    ax.scatter(*_xy(found, missing), color=NEUTRAL, **flat)
    values = np.array([float(g) for g in column.groups])[codes[~missing]]
    order = np.random.default_rng(0).permutation(values.size)  # so that no value lies over the others
    scale = colormaps[SCALE]
    drawn = ax.scatter(*_xy(found, np.flatnonzero(~missing)[order]), c=values[order], cmap=scale, **flat)
    if legend:
        ticks = MaxNLocator(integer=True) if (values % 1 == 0).all() else None  # there is no day 1.25
        ax.figure.colorbar(drawn, cax=ax.inset_axes((1.03, 0.1, 0.03, 0.8)), label=column.name, ticks=ticks)


def _xy(found: Plane, members: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return found.points[members, 0], found.points[members, 1]


def _frame(ax: Axes, found: Plane) -> None:
    low, high = found.points.min(axis=0), found.points.max(axis=0)
    room = 0.04 * np.maximum(high - low, 1e-6)
    ax.set_xlim(low[0] - room[0], high[0] + room[0])
    ax.set_ylim(low[1] - room[1], high[1] + room[1])


def _nothing(column: ImageColumn) -> str:
    return "noise" if column.name == "cluster" else "none"
