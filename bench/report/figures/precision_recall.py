"""Precision against recall of a classifier of two classes, at every threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.errors import DataError
from bench.records.record import CellRecord
from bench.report.figures.style import NEUTRAL, Drawing, Options, colour, headed, new, short
from bench.stages.cell import Cell


def unfit(record: CellRecord) -> str | None:
    """Say that the record holds no such curve."""
    return None if _curve(record) else "has no probabilities of two classes"


def draw(cell: Cell, options: Options) -> Drawing:
    """Draw the curve as steps, beside what guessing would reach; with another cell, both.

    Raises `DataError` if a record holds no such curve.
    """
    records = [c.record for c in (cell, options.against) if c is not None]
    curves = [_required(record) for record in records]
    figure = new(5.4, 5.4)
    ax = figure.subplots()
    for place, (record, curve) in enumerate(zip(records, curves, strict=True)):
        label = f"{short(record.method)}: average precision {record.metrics['average_precision']:.3f}"
        ax.step(curve["recall"], curve["precision"], where="pre", color=colour(place), label=label)
    share = curves[0]["precision"][-1]  # at the last threshold all images are taken
    ax.axhline(share, color=NEUTRAL, linewidth=1, linestyle="--", label=f"guessing: {share:.3f}")
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="recall", ylabel="precision")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2)
    note = f"Of the class {curves[0]['class']}, at every threshold of its probability."
    headed(figure, "Precision and recall", cell, [note], options.against)
    return Drawing(figure)


def _required(record: CellRecord) -> Mapping[str, Any]:
    found = _curve(record)
    if found is None:
        raise DataError(f"{record.method}: {unfit(record)}")
    return found


def _curve(record: CellRecord) -> Mapping[str, Any] | None:
    return next((s.facts["precision_recall"] for s in record.stages if "precision_recall" in s.facts), None)
