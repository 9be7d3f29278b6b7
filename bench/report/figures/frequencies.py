"""How often clusters occur on each day and in each bag; the same as an animation over the days."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from bench.errors import DataError
from bench.report.drawing import columns
from bench.report.drawing.animation import animation
from bench.report.drawing.columns import ImageColumn
from bench.report.drawing.figure import Figure
from bench.report.drawing.plane import without_features
from bench.report.drawing.style import SCALE, Drawing, DrawOptions, headed, new, percent, short
from bench.stages.finished import FinishedCell
from bench.util.text import plural

_MOST_CLUSTERS = 40
_MOST_WRITTEN = 150
"""Fields of a heat map that still have room for a number each."""


class Frequencies(Figure):
    """A heat map for each column that groups the images; with days also an animation."""

    by = "column to count by"

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw a heat map per column (day and bag unless `by` names one); the animation if one is ordered.

        Raises `DataError` if the images have no such column, or all of them are noise.
        """
        shown = [columns.column(cell, options.by)] if options.by else columns.grouping(cell)
        if not shown:
            listed = ", ".join(str(c) for c in cell.table.columns)
            raise DataError(f"the images have no column day or bag; name one with --by: {listed}")
        clusters = columns.clusters(cell)
        if not clusters.groups:
            raise DataError("all images were called noise: there are no clusters to count")
        chosen = np.arange(min(len(clusters.groups), _MOST_CLUSTERS))
        share = shares(clusters, shown[0])[:, chosen]
        chosen = chosen[np.argsort(np.arange(len(share)) @ share, kind="stable")]
        rows = [max(2, len(c.groups)) for c in shown]
        figure = new(max(5.5, 1.6 + 0.5 * len(chosen)), min(14, 2.0 + 0.42 * sum(rows)) + 0.5 * len(shown))
        axes = figure.subplots(len(shown), 1, squeeze=False, height_ratios=rows)[:, 0]
        top = max(shares(clusters, c)[:, chosen].max() for c in shown)
        for ax, by in zip(axes, shown, strict=True):
            image = _heat(ax, shares(clusters, by)[:, chosen], by, top)
            totals = np.bincount(clusters.codes[clusters.codes >= 0])
            heads = [f"{short(clusters.groups[k], 22)}\n{totals[k]:,}" for k in chosen]
            ax.set_xticks(np.arange(len(chosen)), heads, rotation=90 if cell.predicted else 0)
            ax.tick_params(axis="x", labelsize=7 if len(chosen) > 12 else 8)
        axes[-1].set_xlabel(f"{clusters.name}, and its number of images")
        figure.colorbar(image, ax=list(axes), label="share of the cluster's images", shrink=0.8)
        first = shown[0]
        order = f"mean {first.name}" if first.ordered else f"mean rank among the values of {first.name}"
        notes = [f"Each column sums to 1 (numbers: percent); clusters are ordered by their {order}."]
        if (clusters.codes < 0).any():
            notes.append(f"Without {plural(int((clusters.codes < 0).sum()), 'image')} of noise.")
        if len(chosen) < len(clusters.groups):
            notes.append(f"The {len(chosen)} largest of {len(clusters.groups)} clusters.")
        headed(figure, f"Clusters by {' and '.join(c.name for c in shown)}", cell, notes)
        over = next((c for c in shown if options.by or (c.ordered and c.name == "day")), None)
        if over is None or without_features(cell.record):
            return Drawing(figure)
        return Drawing(figure, animation(cell, clusters, over))


def shares(clusters: ImageColumn, by: ImageColumn) -> NDArray[np.float64]:
    """Return m[y, x]: of the images of cluster x, the share that has value y.

    Images without a value and noise do not count. Every column sums to 1, but for one of nothing: 0.
    """
    known = (clusters.codes >= 0) & (by.codes >= 0)
    counts = np.zeros((len(by.groups), len(clusters.groups)))
    np.add.at(counts, (by.codes[known], clusters.codes[known]), 1)
    return np.asarray(counts / np.maximum(counts.sum(axis=0), 1))


def _heat(ax: Axes, m: NDArray[np.float64], by: ImageColumn, top: float) -> AxesImage:
    image = ax.imshow(m, cmap=SCALE, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    ax.set_yticks(np.arange(len(by.groups)), [short(g) for g in by.groups])
    ax.set_ylabel(by.name)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    if m.size <= _MOST_WRITTEN:
        for (y, x), value in np.ndenumerate(m):
            colour = "black" if value > 0.6 * top else "white"
            ax.text(
                x, y, percent(value).removesuffix(" %"), ha="center", va="center", fontsize=7, color=colour
            )
    return image
