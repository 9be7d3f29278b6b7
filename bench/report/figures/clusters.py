"""Images grouped by cluster, wrong joins and wrong cuts marked (as in Presberger et al., GCPR 2024)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from bench.report.drawing import columns
from bench.report.drawing.figure import Figure
from bench.report.drawing.style import (
    NEUTRAL,
    RIGHT,
    WRONG,
    Drawing,
    DrawOptions,
    headed,
    new,
    percent,
    short,
)
from bench.stages.finished import FinishedCell, majority, share_evenly
from bench.util.text import plural

MOST_IMAGES = 100
_HEAD = 0.72
"""Height of a box's title, in images."""
_MARGIN, _BETWEEN = 0.16, 0.42


class Clusters(Figure):
    """A box for each cluster, a frame for each image."""

    def draw(self, cell: FinishedCell, _: DrawOptions) -> Drawing:
        """Draw a box per cluster, a frame per image: right if it is of its cluster's most frequent class.

        Lines connect nearest images: a solid one, another class that was joined to a cluster's most frequent
        one; a dashed one, the part of a class that was cut off its largest part.
        """
        found = columns.clusters(cell)
        alone = found.codes.copy()
        alone[alone < 0] = len(found.groups)  # noise, shown in one box; decisions count each of it alone
        shown = share_evenly(_by_class_within(alone, cell.truth), MOST_IMAGES)
        boxes = _boxes([f"{found.name} {short(g, 22)}" for g in found.groups], alone, shown, cell)
        width = _placed(boxes)
        height = max(b.y + b.height for b in boxes)
        unit = min(0.62, 13 / width)
        figure = new(max(7.0, unit * width + 0.5), max(2.6, unit * height + 1.5))
        ax = figure.subplots()
        ax.set_axis_off()
        ax.set_xlim(-0.2, width + 0.2)
        ax.set_ylim(height + 0.2, -0.2)
        ax.set_aspect("equal")
        for box in boxes:
            _draw_box(ax, cell, box)
        known = bool((cell.truth >= 0).any())
        if known:
            _mark(ax, cell, boxes)
            ax.legend(handles=_legend(), loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=4)
        notes = _notes(cell, found.codes, len(shown)) if known else ["No image has a class."]
        headed(figure, "Clusters", cell, notes)
        return Drawing(figure)


def decisions(truth: NDArray[np.int64], clusters: NDArray[np.int64]) -> dict[str, int]:
    """Count the pairs of images with a class: joins and cuts, right and wrong; an image of noise is alone."""
    known = truth >= 0
    t, c = truth[known], clusters[known].copy()
    noise = c < 0
    c[noise] = c.max(initial=0) + 1 + np.arange(int(noise.sum()))
    table = np.zeros((int(t.max(initial=0)) + 1, int(c.max(initial=0)) + 1), np.int64)
    np.add.at(table, (t, c), 1)
    joined = _pairs(table.sum(axis=0))
    right = _pairs(table)
    same = _pairs(table.sum(axis=1))
    every = t.size * (t.size - 1) // 2
    return {
        "right joins": right,
        "wrong joins": joined - right,
        "right cuts": every - joined - same + right,
        "wrong cuts": same - right,
    }


_Point: TypeAlias = tuple[float, float]


@dataclass
class _Box:
    """One cluster on the page; x, y and sizes in images."""

    title: list[str]
    rows: NDArray[np.int64]
    """Images shown, by class."""
    main: int
    """Most frequent class of all its images; -1 for noise."""
    across: int
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        return max(self.across, 2) + 2 * _MARGIN

    @property
    def height(self) -> float:
        return math.ceil(len(self.rows) / self.across) + _HEAD + _MARGIN

    def centre(self, i: int) -> _Point:
        """Return the centre of the i-th image."""
        row, column = divmod(i, self.across)
        return self.x + _MARGIN + column + 0.5, self.y + _HEAD + row + 0.5


def _pairs(sizes: NDArray[np.int64]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _by_class_within(codes: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    return codes * (int(truth.max(initial=0)) + 2) + truth + 1


def _boxes(
    names: list[str], codes: NDArray[np.int64], shown: NDArray[np.int64], cell: FinishedCell
) -> list[_Box]:
    boxes = []
    for code in np.unique(codes[shown]):
        rows = shown[codes[shown] == code]
        everyone = np.flatnonzero(codes == code)
        noise = code == len(names)
        main, count = (-1, 0) if noise else majority(cell.truth, everyone)
        order = np.argsort(cell.truth[rows] != main, kind="stable")  # the most frequent class first
        across = max(1, math.ceil(math.sqrt(len(rows) * 1.4)))
        name = "noise" if noise else names[code]
        title = [f"{name} · {plural(len(everyone), 'image')}"]
        if main >= 0 and count:
            title.append(f"{percent(count / int((cell.truth[everyone] >= 0).sum()))} {cell.classes[main]}")
        boxes.append(_Box(title, rows[order], main, across))
    return boxes


def _placed(boxes: list[_Box]) -> float:
    """Put the boxes on shelves, in their order; return the width of the page."""
    area = sum((b.width + _BETWEEN) * (b.height + _BETWEEN) for b in boxes)
    page = max(max(b.width for b in boxes), 1.25 * math.sqrt(area) + 1)
    x = y = shelf = 0.0
    widest = 0.0
    for box in boxes:
        if x and x + box.width > page:
            x, y, shelf = 0.0, y + shelf + _BETWEEN, 0.0
        box.x, box.y = x, y
        x += box.width + _BETWEEN
        shelf = max(shelf, box.height)
        widest = max(widest, box.x + box.width)
    return widest


def _draw_box(ax: Axes, cell: FinishedCell, box: _Box) -> None:
    outline: dict[str, Any] = {
        "fill": True,
        "facecolor": "#f3f4f6",
        "edgecolor": "#b8bcc4",
        "linewidth": 0.8,
        "zorder": 0,
    }
    ax.add_patch(Rectangle((box.x, box.y), box.width, box.height, **outline))
    for i, text in enumerate(box.title):
        own: dict[str, Any] = {"fontsize": 6.5, "va": "center", "zorder": 4}
        own["bbox"] = {"facecolor": "#f3f4f6", "edgecolor": "none", "pad": 0.8}
        ax.text(box.x + _MARGIN, box.y + 0.22 + 0.28 * i, short(text, int(box.width * 12)), **own)
    for i, row in enumerate(box.rows):
        x, y = box.centre(i)
        ax.imshow(cell.picture(int(row)), extent=(x - 0.39, x + 0.39, y + 0.39, y - 0.39), zorder=2)
        colour = NEUTRAL
        if cell.truth[row] >= 0 and box.main >= 0:
            colour = RIGHT if cell.truth[row] == box.main else WRONG
        edge: dict[str, Any] = {"fill": False, "edgecolor": colour, "linewidth": 1.8, "zorder": 3}
        ax.add_patch(Rectangle((x - 0.4, y - 0.4), 0.8, 0.8, **edge))


def _mark(ax: Axes, cell: FinishedCell, boxes: list[_Box]) -> None:
    """Draw lines beneath the images shown: one for each class that a cluster holds or lacks wrongly."""
    parts: dict[int, list[list[_Point]]] = {}
    for box in boxes:
        of_class: dict[int, list[_Point]] = {}
        for i, row in enumerate(box.rows):
            of_class.setdefault(int(cell.truth[row]), []).append(box.centre(i))
        for name, centres in of_class.items():
            if name >= 0:
                parts.setdefault(name, []).append(centres)
                if box.main >= 0 and name != box.main:
                    _line(ax, centres, of_class.get(box.main, centres), "-")
    for of_one_class in parts.values():
        home, *others = sorted(of_one_class, key=len, reverse=True)
        for centres in others:
            _line(ax, centres, home, (0, (3, 2)))


def _line(
    ax: Axes, some: list[_Point], others: list[_Point], style: str | tuple[int, tuple[int, ...]]
) -> None:
    """Connect the two nearest images of two groups."""
    a, b = min(product(some, others), key=lambda pair: math.dist(*pair))
    ax.plot(*zip(a, b, strict=True), color=WRONG, linewidth=1.3, linestyle=style, zorder=1)


def _legend() -> list[Patch | Line2D]:
    return [
        Patch(fill=False, edgecolor=RIGHT, linewidth=1.8, label="of the cluster's main class"),
        Patch(fill=False, edgecolor=WRONG, linewidth=1.8, label="of another class"),
        Line2D([], [], color=WRONG, label="wrong join"),
        Line2D([], [], color=WRONG, linestyle=(0, (3, 2)), label="wrong cut"),
    ]


def _notes(cell: FinishedCell, codes: NDArray[np.int64], shown: int) -> list[str]:
    n = decisions(cell.truth, codes)
    joins, cuts = n["right joins"] + n["wrong joins"], n["right cuts"] + n["wrong cuts"]
    sentences = [f"{plural(len(codes), 'image')} in all, {shown} shown." if shown < len(codes) else ""]
    for name, right, of in (("joins", n["right joins"], joins), ("cuts", n["right cuts"], cuts)):
        sentences.append(
            f"Of {of:,} {name}, {percent(right / of)} are right." if of else f"There are no {name}."
        )
    sentences.append(
        "One line for each class in a wrong cluster (solid) and for each part cut off a class (dashed)."
    )
    return [s for s in sentences if s]
