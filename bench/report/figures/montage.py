"""Images of each cluster."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.imaging.contact import spread
from bench.report.drawing import columns
from bench.report.drawing.figure import Figure
from bench.report.drawing.style import Drawing, DrawOptions, headed, new, percent, short
from bench.stages.finished import FinishedCell, majority
from bench.util.text import plural

_SIDE = 4
"""Most images in a row of a cluster's block, and most rows."""
_MOST_CLUSTERS = 24
_SHORT = 14
"""Letters of a name that has room for the number of images beside it."""
_GAP = 2


class Montage(Figure):
    """A block of images for each cluster."""

    def draw(self, cell: FinishedCell, _: DrawOptions) -> Drawing:
        """Draw up to 16 images of each cluster, evenly spread over it; the largest first, noise last."""
        found = columns.clusters(cell)
        blocks = [
            (f"{found.name} {short(name, 22)}", np.flatnonzero(found.codes == i))
            for i, name in enumerate(found.groups)
        ]
        hidden = max(0, len(blocks) - _MOST_CLUSTERS)
        blocks = blocks[:_MOST_CLUSTERS]
        noise = np.flatnonzero(found.codes < 0)
        if noise.size:
            blocks.append(("noise", noise))
        wide = min(6, max(3, int(np.ceil(np.sqrt(len(blocks) * 1.3)))))
        high = -(-len(blocks) // wide)
        figure = new(1.95 * wide, 2.35 * high + 0.9)
        axes = np.atleast_1d(figure.subplots(high, wide)).ravel()
        side = min(_SIDE, int(np.ceil(np.sqrt(max(len(rows) for _, rows in blocks)))))
        for ax in axes:
            ax.set_axis_off()
        for ax, (name, rows) in zip(axes, blocks, strict=False):
            ax.imshow(_block(cell, rows, side))
            between = " · " if len(name) <= _SHORT else "\n"
            head = f"{name}{between}{plural(len(rows), 'image')}"
            ax.set_title(f"{head}\n{_class_of(cell, rows)}".rstrip(), fontsize=8, loc="left")
        named = ", with its most frequent class" if (cell.truth >= 0).any() else ""
        notes = [f"Up to {_SIDE**2} images of each cluster, evenly spread over it{named}."]
        if hidden:
            notes.append(f"The {_MOST_CLUSTERS} largest of {len(found.groups)} clusters.")
        headed(figure, "Images of each cluster", cell, notes)
        return Drawing(figure)


def _class_of(cell: FinishedCell, rows: NDArray[np.int64]) -> str:
    name, count = majority(cell.truth, rows)
    known = int((cell.truth[rows] >= 0).sum())
    return f"{percent(count / known)} {short(cell.classes[name], 22)}" if known else ""


def _block(cell: FinishedCell, rows: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
    """Return the images of one cluster as one picture."""
    size = cell.images.shape[1]
    step = size + max(_GAP, size // 24)
    canvas = np.full((side * step, side * step, 3), 255, np.uint8)
    for i, row in enumerate(spread(rows.tolist(), _SIDE**2)):
        y, x = divmod(i, side)
        canvas[y * step : y * step + size, x * step : x * step + size] = cell.picture(row)
    return canvas
