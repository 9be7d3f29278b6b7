"""Features in the plane, coloured by label, cluster and other columns."""

from __future__ import annotations

import numpy as np

from bench.report.drawing import columns
from bench.report.drawing.columns import ImageColumn
from bench.report.drawing.figure import Figure
from bench.report.drawing.plane import plane, without_features
from bench.report.drawing.scatter import scatter
from bench.report.drawing.style import Drawing, DrawOptions, headed, new
from bench.stages.finished import FinishedCell


class Map(Figure):
    """The method's own two features, else a projection of its features or join probabilities."""

    by = "column to colour by"

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say that the method has neither features nor join probabilities."""
        return without_features(cell.record)

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw a panel for label, cluster and up to two columns that group the images, or for `by` alone."""
        shown = [columns.column(cell, options.by)] if options.by else _unasked(cell)
        found = plane(cell)
        wide = min(2, len(shown))
        high = -(-len(shown) // wide)
        figure = new(5.6 * wide, 4.1 * high + 0.8)
        axes = np.atleast_1d(figure.subplots(high, wide)).ravel()
        for ax, column in zip(axes, shown, strict=False):
            scatter(ax, found, column)
            ax.set_title(f"{column.name} ({len(column.groups):,})", loc="left")
            for name, set_label in (("1", ax.set_xlabel), ("2", ax.set_ylabel)):
                set_label(f"{found.axes} {name}")
        for ax in axes[len(shown) :]:
            ax.remove()
        headed(figure, "Features in the plane", cell, [found.caption])
        return Drawing(figure)


def _unasked(cell: FinishedCell) -> list[ImageColumn]:
    label = columns.labels(cell)
    return [*([label] if label else []), columns.clusters(cell), *columns.grouping(cell)]
