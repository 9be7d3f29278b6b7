"""Similarities of all pairs of images, ordered by class, over the training."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from bench.report.drawing.checkpoints import examples, snapshots
from bench.report.drawing.figure import Figure
from bench.report.drawing.plane import without_features
from bench.report.drawing.style import SCALE, Drawing, DrawOptions, headed, new, short
from bench.stages.finished import FinishedCell, share_evenly

_MOST_IMAGES = 400
_MOST_NAMES = 20
_JOINS = "join probabilities"


class Similarity(Figure):
    """Matrices of cosines at each snapshot of the training and at its end, and of join probabilities."""

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say that the method has neither features nor join probabilities."""
        return without_features(cell.record)

    def draw(self, cell: FinishedCell, _: DrawOptions) -> Drawing:
        """Draw the cosine of features at each snapshot of the training and at its end; join probabilities."""
        by_class = bool((cell.truth >= 0).any())
        groups = cell.truth if by_class else cell.clusters
        rows = share_evenly(groups, _MOST_IMAGES)
        panels = _panels(cell, rows)
        figure = new(3.1 * len(panels) + 2.6, 4.4)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        cosines = [m for name, m in panels if name != _JOINS]
        low = min((float(np.percentile(m, 1)) for m in cosines), default=0.0)
        shown: dict[str, tuple[list[Axes], AxesImage]] = {}
        for ax, (name, m) in zip(axes, panels, strict=True):
            what, least = (_JOINS, 0.0) if name == _JOINS else ("cosine", low)
            image = ax.imshow(m, cmap=SCALE, vmin=least, vmax=1, interpolation="nearest")
            shown.setdefault(what, ([], image))[0].append(ax)
            within, between = contrast(m, groups[rows])
            ax.set_title(name, loc="left")
            ax.set_xlabel(f"within {within:.4f}, between {between:.4f}", fontsize=8)
            ax.set_xticks([])
            ax.set_yticks([])
            _borders(ax, groups[rows])
        _names(axes[0], cell, groups[rows], by_class=by_class)
        for what, (own, image) in shown.items():
            figure.colorbar(image, ax=own, shrink=0.75, label=what)
        one, many = ("class", "classes") if by_class else ("cluster", "clusters")
        notes = [f"Images are ordered by {one}; below each, the mean of pairs within and between {many}."]
        notes.append("The colours of all cosines begin at their first percentile.")
        if len(rows) < len(groups):
            notes.append(f"{len(rows)} of {len(groups):,} images.")
        headed(figure, "Similarity of images", cell, notes)
        return Drawing(figure)


def cosine(features: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosine of all pairs of features, shape (n, n); 0 for a feature that is all zero."""
    x = np.asarray(features, np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(length > 0, length, 1)
    return np.asarray(np.clip(unit @ unit.T, -1, 1))


def contrast(similarity: NDArray[Any], groups: NDArray[np.int64]) -> tuple[float, float]:
    """Return the mean similarity of pairs within a group and of pairs of two groups; nan if there are none.

    Images without a group (-1) do not count.
    """
    known = groups >= 0
    m = np.asarray(similarity, np.float64)[np.ix_(known, known)]
    same = groups[known][:, None] == groups[known]
    off = ~np.eye(len(m), dtype=bool)
    means = [float(m[chosen].mean()) if chosen.any() else float("nan") for chosen in (same & off, ~same)]
    return means[0], means[1]


def _panels(cell: FinishedCell, rows: NDArray[np.int64]) -> list[tuple[str, NDArray[np.float64]]]:
    some = examples(cell.images, rows)
    panels = [(snapshot.when, cosine(snapshot.features(some))) for snapshot in snapshots(cell)]
    if cell.features is not None and (not panels or not panels[-1][0].startswith("100 %")):
        panels.append(("features", cosine(cell.features[rows])))
    if cell.join_probabilities is not None:
        p = np.asarray(cell.join_probabilities[np.ix_(rows, rows)], np.float64)
        panels.append((_JOINS, p))
    return panels


def _borders(ax: Axes, groups: NDArray[np.int64]) -> None:
    for edge in np.flatnonzero(np.diff(groups)) + 0.5:
        ax.axhline(edge, color="white", linewidth=0.5)
        ax.axvline(edge, color="white", linewidth=0.5)


def _names(ax: Axes, cell: FinishedCell, groups: NDArray[np.int64], *, by_class: bool) -> None:
    values, first, counts = np.unique(groups, return_index=True, return_counts=True)
    if len(values) > _MOST_NAMES:
        ax.set_ylabel(f"{len(values)} {'classes' if by_class else 'clusters'}")
        return
    unknown = "no class" if by_class else "noise"
    names = [unknown if v < 0 else cell.classes[v] if by_class else f"cluster {v}" for v in values]
    ax.set_yticks(first + (counts - 1) / 2, [short(n, 22) for n in names], fontsize=7)
    ax.tick_params(axis="y", length=0)
