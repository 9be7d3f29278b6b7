"""How well join probabilities are calibrated: predicted against observed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from bench.errors import DataError
from bench.nn.reliability import reliability
from bench.report.drawing.figure import Figure
from bench.report.drawing.style import MARKERS, NEUTRAL, Drawing, DrawOptions, colour, headed, new, short
from bench.stages.finished import FinishedCell


class Reliability(Figure):
    """Reliability diagrams of the scored and of held-out images."""

    compares = True

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say that the method has no pair model."""
        return None if any(s.stage == "pair" for s in cell.record.stages) else "has no pair model"

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw the share of joins among pairs against their predicted probability, and the number of pairs.

        Raises `DataError` if no image has a class.
        """
        cells = [cell] if options.against is None else [cell, options.against]
        for c in cells:
            self.require(c)
        found = {name: curve for c in cells for name, curve in _curves(c, several=len(cells) > 1).items()}
        figure = new(5.4, 7.0)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color=NEUTRAL, linewidth=1, linestyle="--", label="perfect")
        for index, (name, curve) in enumerate(found.items()):
            kind = {"color": colour(index), "marker": MARKERS[index % len(MARKERS)], "markersize": 4.5}
            label = f"{name}: error {curve['ece']:.3f}"
            upper.plot(curve["predicted"], curve["joined"], label=label, linewidth=1.5, **kind)
            lower.plot(curve["predicted"], curve["pairs"], linewidth=1.5, **kind)
        upper.set_ylim(-0.03, 1.03)
        upper.set_ylabel("share of pairs of one class")
        upper.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)
        _tidy(lower, [n for curve in found.values() for n in curve["pairs"]])
        note = "Pairs in ten bins of predicted probability; error: their mean distance from the diagonal."
        headed(figure, "Reliability of join probabilities", cell, [note], options.against)
        return Drawing(figure)


def _tidy(lower: Axes, pairs: Sequence[int]) -> None:
    lower.set_yscale("log")
    low, high = math.floor(math.log10(min(pairs))), math.ceil(math.log10(max(pairs)))
    lower.set_ylim(
        10**low / 1.2, 10 ** max(high, low + 1) * 1.2
    )  # a scale with less than two numbers says nothing
    lower.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    lower.yaxis.set_minor_formatter(NullFormatter())
    lower.set_xlim(-0.03, 1.03)
    lower.set_xlabel("predicted probability of a join")
    lower.set_ylabel("pairs")
    lower.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    lower.set_axisbelow(True)


def _curves(cell: FinishedCell, *, several: bool) -> dict[str, Mapping[str, Any]]:
    """Return the curves that the record holds; the one of the scored images is computed if it does not."""
    facts: dict[str, Any] = {}
    for stage in cell.record.stages:
        facts |= stage.facts
    scored = facts.get("reliability")
    if scored is None:
        assert cell.join_probabilities is not None
        if np.unique(cell.truth[cell.truth >= 0]).size < 1:
            raise DataError("no image has a class: there is nothing to compare join probabilities with")
        scored = reliability(cell.truth, cell.join_probabilities)
    found = {"scored images": scored}
    for when, curve in facts.get("held_out_reliability", {}).items():
        found[f"held-out images {when} calibration"] = curve
    method = f"{short(cell.record.method)}, " if several else ""
    return {f"{method}{name}": curve for name, curve in found.items() if curve["pairs"]}
