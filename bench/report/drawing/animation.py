"""Clusters over the days: the images so far in the plane, and how many of them are in each cluster."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.report.drawing.columns import ImageColumn
from bench.report.drawing.plane import plane
from bench.report.drawing.scatter import MOST_GROUPS, scatter
from bench.report.drawing.style import NEUTRAL, colour, frame, headed, new, short
from bench.stages.finished import FinishedCell
from bench.util.text import plural


def animation(cell: FinishedCell, clusters: ImageColumn, over: ImageColumn) -> list[NDArray[np.uint8]]:
    """Return one frame per value of `over`; each shows the images that have this value or an earlier one."""
    found = plane(cell)
    names = clusters.groups[:MOST_GROUPS]  # the largest ones, as in the plane
    rest = len(clusters.groups) > len(names)
    shares = so_far(clusters, over)
    shown = np.hstack([shares[:, : len(names)], shares[:, len(names) :].sum(axis=1, keepdims=True)])
    figure = new(9.6, 4.8)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    drawn = scatter(left, found, clusters, legend=False)
    title = left.set_title(" ", loc="left")
    positions = np.arange(len(names) + rest)
    colours = [*(colour(i) for i in range(len(names))), NEUTRAL][: len(positions)]
    bars = right.barh(positions, shown[-1, : len(positions)], color=colours)
    right.set_yticks(positions, [*names, "others"][: len(positions)], fontsize=8)
    right.invert_yaxis()
    right.set_xlim(0, 1.05 * max(0.01, float(shown[:, : len(positions)].max())))
    right.set_xlabel("share of the images so far")
    right.set_ylabel("cluster")
    headed(figure, f"Clusters up to each {over.name}", cell, [found.caption])
    frame(figure)  # once with everything that will be drawn: the layout must not move between frames
    figure.set_layout_engine("none")
    frames = []
    for i, group in enumerate(over.groups):
        seen = (over.codes[found.rows] >= 0) & (over.codes[found.rows] <= i)
        for dots, members in drawn:
            dots.set_offsets(found.points[members[seen[members]]])
        for bar, share in zip(bars, shown[i], strict=False):
            bar.set_width(share)
        title.set_text(f"up to {over.name} {short(group)}: {plural(int(seen.sum()), 'image')}")
        frames.append(frame(figure))
    return frames


def so_far(clusters: ImageColumn, over: ImageColumn) -> NDArray[np.float64]:
    """Return m[i, x]: of the images with one of the first i + 1 values, the share that is in cluster x.

    Noise and images without a value do not count.
    """
    known = (clusters.codes >= 0) & (over.codes >= 0)
    counts = np.zeros((len(over.groups), len(clusters.groups)))
    np.add.at(counts, (over.codes[known], clusters.codes[known]), 1)
    total = counts.cumsum(axis=0)
    return np.asarray(total / np.maximum(total.sum(axis=1, keepdims=True), 1))
