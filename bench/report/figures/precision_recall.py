"""Precision against recall of a classifier of two classes, at every threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.records.record import CellRecord
from bench.report.drawing.figure import Figure
from bench.report.drawing.style import NEUTRAL, Drawing, DrawOptions, colour, headed, new, short
from bench.stages.finished import FinishedCell


class PrecisionRecall(Figure):
    """The curve that the record holds, beside what guessing would reach."""

    compares = True

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say that the record holds no such curve."""
        return None if _curve(cell.record) else "has no probabilities of two classes"

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw the curve as steps, beside what guessing would reach; with another cell, both.

        Raises `DataError` if a record holds no such curve.
        """
        cells = [c for c in (cell, options.against) if c is not None]
        for one in cells:
            self.require(one)
        records = [one.record for one in cells]
        curves = [curve for record in records if (curve := _curve(record)) is not None]
        figure = new(5.4, 5.4)
        ax = figure.subplots()
        for index, (record, curve) in enumerate(zip(records, curves, strict=True)):
            label = f"{short(record.method)}: average precision {record.metrics['average_precision']:.3f}"
            ax.step(curve["recall"], curve["precision"], where="pre", color=colour(index), label=label)
        share = curves[0]["precision"][-1]  # at the last threshold all images are taken
        ax.axhline(share, color=NEUTRAL, linewidth=1, linestyle="--", label=f"guessing: {share:.3f}")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="recall", ylabel="precision")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)
        note = f"Of the class {curves[0]['class']}, at every threshold of its probability."
        headed(figure, "Precision and recall", cell, [note], options.against)
        return Drawing(figure)


def _curve(record: CellRecord) -> Mapping[str, Any] | None:
    return next((s.facts["precision_recall"] for s in record.stages if "precision_recall" in s.facts), None)
