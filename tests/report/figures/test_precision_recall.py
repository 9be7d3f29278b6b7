"""The precision-recall curve of a classifier: the one of the record, beside guessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import DataError
from bench.records.store import Store
from bench.report.drawing.style import DrawOptions, applied, write
from bench.stages.finished import FinishedCell
from tests.execute.runs import Bench
from tests.report.figures.runs import figure_of as kind
from tests.report.figures.test_figures import texts

SUITE = """
title: Two classes
seeds: [0]
baselines: false
bootstrap: {replicates: 0}
metrics: [average_precision, balanced_accuracy]
datasets:
  - name: plate
    use: cpjump1
    size: 16
    synthetic: {images: 90, side: 32, effect: 3}
    score: {fraction: 0.5}
methods:
  - {name: linear, classifier: {use: linear_probe, encoder: pixels}}
  - {name: nearest, classifier: {use: knn_probe, encoder: pixels}}
  - {name: clustered, encoder: pixels, clusterer: {use: kmeans, k: 2}}
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FinishedCell]:
    place = Bench(tmp_path_factory.mktemp("curve"))
    done = place.run("run", place.suite(SUITE, "two"), "--quiet", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    store = Store(place.root / "store")
    return {r.method: FinishedCell(r, store) for r in place.all_records("two")}


def test_the_curve_is_that_of_the_record_and_ends_at_guessing(
    cells: dict[str, FinishedCell], tmp_path: Path
) -> None:
    cell = cells["linear"]
    with applied():
        drawing = kind("precision_recall").draw(cell, DrawOptions())
        png, svg = write(drawing, tmp_path / "curve")
    assert png.stat().st_size > 5000
    assert svg.stat().st_size > 5000
    curve, guessing = drawing.figure.axes[0].lines
    (stage,) = (s for s in cell.record.stages if s.stage == "score")
    facts = stage.facts["precision_recall"]
    np.testing.assert_array_equal(np.array(curve.get_data()), [facts["recall"], facts["precision"]])
    positive = cell.truth == cell.classes.index(facts["class"])
    assert np.array(guessing.get_data())[1, 0] == pytest.approx(positive.mean(), abs=1e-6)
    said = texts(cell, "precision_recall")
    assert f"average precision {cell.record.metrics['average_precision']:.3f}" in said
    assert f"Of the class {facts['class']}" in said


def test_two_methods_share_the_axes_and_one_without_a_curve_says_so(cells: dict[str, FinishedCell]) -> None:
    said = texts(cells["linear"], "precision_recall", DrawOptions(against=cells["nearest"]))
    assert "linear: average precision" in said
    assert "nearest: average precision" in said
    with pytest.raises(DataError, match="clustered: has no probabilities of two classes"), applied():
        kind("precision_recall").draw(cells["linear"], DrawOptions(against=cells["clustered"]))
