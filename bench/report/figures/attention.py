"""What the heads of a vision transformer attend to, before and after training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from bench.errors import DataError
from bench.report.drawing.checkpoints import Checkpoint, before_and_after, examples, without_attention
from bench.report.drawing.figure import Figure
from bench.report.drawing.style import Drawing, DrawOptions, headed, new, short
from bench.stages.finished import FinishedCell, share_evenly

_IMAGES = 6
_MOST_HEADS = 12
_MOST_HEADS_OF_TWO = 6
_LOW, _HIGH = 5, 99.5
"""Percentiles of a map that are shown dark and bright: single patches attract all attention at times."""


class Attention(Figure):
    """Maps of attention over a few images of different classes; `against` stands in for before training."""

    compares = True

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say that no adapter of the method shows attention."""
        return without_attention(cell)

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw example images, one a row, and over each the map of every head, before and after side by side.

        `against` stands in for before. Raises `DataError` for models without a class token.
        """
        self.require(cell)
        shown, notes = self._checkpoints(cell, options.against)
        rows = _examples(cell)
        some = examples(cell.images, rows)
        maps = [checkpoint.attention(some) for checkpoint in shown]
        most = _MOST_HEADS if len(maps) == 1 else _MOST_HEADS_OF_TWO
        heads = [min(m.shape[1], most) for m in maps]
        for checkpoint, m in zip(shown, maps, strict=True):
            if m.shape[1] > most:
                notes.append(f"{checkpoint.when}: heads 1 to {most} of {m.shape[1]}.")
        widths = [1.0]
        for n in heads:
            widths += [0.12, *[1.0] * n]
        figure = new(1.15 * sum(widths) + 0.4, 1.15 * len(rows) + 1.5, gap=0.015)
        grid = figure.subplots(len(rows), len(widths), squeeze=False, width_ratios=widths)
        for ax in grid.ravel():
            ax.set_axis_off()
        for y, row in enumerate(rows):
            picture = cell.picture(int(row))
            grid[y, 0].imshow(picture)
            name = cell.classes[cell.truth[row]] if cell.truth[row] >= 0 else str(cell.images.ids[row])
            grid[y, 0].set_title(short(name, 21), fontsize=7, loc="left", pad=2)
            x = 1
            for n, m in zip(heads, maps, strict=True):
                for head in range(n):
                    grid[y, x + 1 + head].imshow(overlaid(picture, m[y, head]))
                x += n + 1
        x = 1
        for checkpoint, n in zip(shown, heads, strict=True):
            for head in range(n):
                above = f"{checkpoint.when}\n" if head == 0 else "\n"
                grid[0, x + 1 + head].set_title(f"{above}head {head + 1}", fontsize=8, loc="left", pad=3)
            x += n + 1
        notes.insert(
            0, "Bright: what the class token attends to in the last block, each map on a scale of its own."
        )
        headed(figure, "Attention of the heads", cell, notes, options.against)
        return Drawing(figure)

    def _checkpoints(
        self, cell: FinishedCell, against: FinishedCell | None
    ) -> tuple[list[Checkpoint], list[str]]:
        found, notes = before_and_after(cell)
        if against is None:
            return found, notes
        if against.record.dataset != cell.record.dataset:
            raise DataError("--against: expected a method on the same dataset")
        self.require(against)
        other, _ = before_and_after(against)
        pair = ((against, other), (cell, found))
        return [replace(of[-1], when=short(c.record.method, 40)) for c, of in pair], []


def overlaid(picture: NDArray[np.uint8], attention: NDArray[np.float32]) -> NDArray[np.float64]:
    """Lay a map of patches, bilinear, over a picture: RGB in [0, 1], shape (size, size, 3)."""
    import cv2

    side = picture.shape[0]
    big = cv2.resize(attention.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    low, high = np.percentile(attention, (_LOW, _HIGH))
    strength = np.clip((big - low) / max(float(high - low), 1e-12), 0, 1)
    grey = picture.mean(axis=2, keepdims=True) / 255
    heat = colormaps["inferno"](strength)[..., :3]
    return np.asarray(np.clip(0.35 * grey * (0.3 + 0.7 * strength[..., None]) + 0.65 * heat, 0, 1))


def _examples(cell: FinishedCell) -> NDArray[np.int64]:
    """Choose images of different classes: one each of the first, in the order of their names."""
    known = cell.truth if (cell.truth >= 0).any() else cell.clusters
    classes = np.unique(known[known >= 0]) if (known >= 0).any() else np.unique(known)
    if len(classes) >= _IMAGES:
        some = classes[(2 * np.arange(_IMAGES) + 1) * len(classes) // (2 * _IMAGES)]
        members = [np.flatnonzero(known == c) for c in some]
        return np.array([m[len(m) // 2] for m in members], np.int64)
    return share_evenly(known, min(_IMAGES, len(known)))
