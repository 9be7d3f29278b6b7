"""Losses of the trainings, and other quantities recorded on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.report.drawing.figure import Figure
from bench.report.drawing.style import Drawing, DrawOptions, colour, headed, new, short
from bench.stages.finished import FinishedCell


class Curves(Figure):
    """A panel for each training and quantity."""

    compares = True

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say that nothing was trained step by step."""
        return None if any("curve" in s.facts for s in cell.record.stages) else "trained nothing step by step"

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw one panel per training and quantity; two cells share the panels that both have."""
        cells = [cell] if options.against is None else [cell, options.against]
        for c in cells:
            self.require(c)
        panels: dict[tuple[str, str], list[tuple[str, Sequence[Any]]]] = {}
        for c in cells:
            for stage in c.record.stages:
                adapter = stage.adapter.partition("@")[0]
                for name, points in stage.facts.get("curve", {}).items():
                    if points:
                        panels.setdefault((adapter, name), []).append((c.record.method, points))
        wide = min(2, len(panels))
        high = -(-len(panels) // wide)
        figure = new(max(5.2, 4.4 * wide), 2.9 * high + 0.9)
        axes = np.atleast_1d(figure.subplots(high, wide)).ravel()
        for ax, ((adapter, name), lines) in zip(axes, panels.items(), strict=False):
            for method, points in lines:
                index = [c.record.method for c in cells].index(method)
                steps, values = np.array(points, float).T
                ax.plot(steps, values, color=colour(index), linewidth=1.5, label=short(method))
            ax.set_title(f"{adapter}: {name.replace('_', ' ')}", loc="left")
            ax.set_xlabel("step")
            ax.grid(axis="y", color="#e4e4e4", linewidth=0.6)
            if len(cells) > 1:
                ax.legend()
        for ax in axes[len(panels) :]:
            ax.remove()
        note = "Losses are means over consecutive steps, at most 200 points."
        headed(figure, "Trainings", cell, [note], options.against)
        return Drawing(figure)
