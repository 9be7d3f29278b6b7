"""Against scikit-learn; resamples against counting the drawn images themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from bench.errors import DataError
from bench.metrics import classification
from bench.metrics.classification import precision_recall, score_classes
from bench.metrics.names import CLASSIFICATION, METRICS, find
from bench.metrics.predictions import Outcomes, PrecisionRecallCurve, Predictions

Case = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


@st.composite
def cases(draw: st.DrawFn, most: int = 5) -> Case:
    """Return truth, prediction and probabilities with many ties; some classes may lack images."""
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    p = rng.integers(1, draw(st.integers(2, 9)), (n, k)).astype(float)
    return rng.integers(0, k, n), rng.integers(0, k, n), p / p.sum(axis=1, keepdims=True)


def by_scikit_learn(
    truth: NDArray[np.int64], pred: NDArray[np.int64], p: NDArray[np.float64]
) -> dict[str, float]:
    present = np.unique(truth)
    found = {
        "accuracy": oracle.accuracy_score(truth, pred),
        "balanced_accuracy": oracle.recall_score(
            truth, pred, labels=present, average="macro", zero_division=0
        ),
        "f1_per_class": oracle.f1_score(truth, pred, labels=present, average="macro", zero_division=0),
    }
    if present.size == 2:
        found["average_precision"] = oracle.average_precision_score(truth == present[1], p[:, present[1]])
    elif present.size > 2:
        each = [oracle.average_precision_score(truth == c, p[:, c]) for c in present]
        found["average_precision"] = float(np.mean(each))
    return found


@given(cases())
@settings(max_examples=60)
def test_values_are_those_of_scikit_learn(case: Case) -> None:
    found = score_classes(*case, replicates=0)
    assert found.values == pytest.approx(by_scikit_learn(*case), abs=1e-12)
    assert found.intervals == {}
    assert list(found.values) == [name for name in CLASSIFICATION if name in found.values]


@given(cases())
@settings(max_examples=25)
def test_balanced_accuracy_is_scikit_learns_own(case: Case) -> None:
    truth, _, p = case
    pred = np.unique(truth)[p.sum(axis=1).astype(int) % np.unique(truth).size]  # classes that truth has too
    assert score_classes(truth, pred).values["balanced_accuracy"] == pytest.approx(
        oracle.balanced_accuracy_score(truth, pred)
    )


@given(cases(), st.integers(0, 2**32))
@settings(max_examples=40)
def test_weights_of_images_mean_images_drawn_so_often(case: Case, seed: int) -> None:
    truth, pred, p = case
    drawn = np.random.default_rng(seed).integers(0, truth.size, truth.size)
    weights = np.bincount(drawn, minlength=truth.size)[None].astype(float)
    wanted = by_scikit_learn(truth[drawn], pred[drawn], p[drawn])
    drawn_so = Predictions(Outcomes(truth, pred), weights)
    found = {n: m(drawn_so)[0] for n, m in CLASSIFICATION.items() if n != "average_precision"}
    assert found == pytest.approx({name: wanted[name] for name in found}, abs=1e-12)
    for c in np.unique(truth[drawn]):
        area = PrecisionRecallCurve(truth == c, p[:, c]).average_precision(weights)[0]
        assert area == pytest.approx(
            oracle.average_precision_score(truth[drawn] == c, p[drawn, c]), abs=1e-12
        )


@given(cases())
@settings(max_examples=25)
def test_intervals_hold_the_value_and_come_out_the_same_again(case: Case) -> None:
    once, again = (score_classes(*case, replicates=60) for _ in range(2))
    assert once == again
    assert set(once.intervals) == set(once.values)
    for name, (low, high) in once.intervals.items():
        assert 0 <= low <= once.values[name] <= high <= 1


@pytest.mark.slow
def test_intervals_cover_about_as_often_as_they_say_and_shrink_with_more_images() -> None:
    rng = np.random.default_rng(0)
    hits, widths = 0, {}
    for n in (50, 400):
        spans = []
        for _ in range(100):
            truth = rng.integers(0, 2, n)
            pred = np.where(rng.random(n) < 0.8, truth, 1 - truth)
            low, high = score_classes(truth, pred, replicates=200, rng=rng).intervals["accuracy"]
            hits += low <= 0.8 <= high
            spans.append(high - low)
        widths[n] = np.mean(spans)
    assert 0.88 <= hits / 200 <= 0.99
    assert widths[400] == pytest.approx(widths[50] / np.sqrt(8), rel=0.15)


def test_no_interval_where_it_would_take_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.arange(1000) % 5
    p = np.full((1000, 5), 0.2, np.float32)
    wanted = {"accuracy", "balanced_accuracy", "f1_per_class"}
    for most, name in ((200 * 5 * 1000, {"average_precision"}), (200 * 5 * 1000 - 1, set())):
        monkeypatch.setattr(classification, "_MOST_STEPS", most)
        found = score_classes(truth, truth[::-1], p, replicates=200)
        assert found.values["average_precision"] == pytest.approx(0.2)
        assert set(found.intervals) == wanted | name


def test_names_are_compared_not_matched() -> None:
    truth = np.array([0, 0, 1, 1])
    assert score_classes(truth, 1 - truth).values["accuracy"] == 0
    assert score_classes(truth, truth + 7).values == {
        "accuracy": 0,
        "balanced_accuracy": 0,
        "f1_per_class": 0,
    }


def test_unknown_labels_do_not_count_and_noise_is_wrong() -> None:
    truth, pred = np.array([0, 1, 1, -1]), np.array([0, -1, 1, 1])
    found = score_classes(truth, pred)
    assert found.values["accuracy"] == pytest.approx(2 / 3)
    assert found.recalls == {0: 1.0, 1: 0.5}
    with pytest.raises(DataError, match="no image has a true label"):
        score_classes(np.full(3, -1), np.zeros(3, np.int64))
    with pytest.raises(DataError, match="predictions"):
        score_classes(truth, pred[:2])
    with pytest.raises(DataError, match="predictions"):
        score_classes(truth, pred, np.zeros((3, 2)))


def test_a_constant_prediction_is_half_right_when_balanced() -> None:
    truth = np.array([1] * 82 + [0] * 18)
    found = score_classes(truth, np.ones(100, np.int64), np.tile([0.0, 1.0], (100, 1))).values
    assert found["balanced_accuracy"] == 0.5
    assert found["accuracy"] == found["average_precision"] == 0.82


@given(st.integers(1, 2000), st.integers(2, 500), st.integers(0, 2**32))
@settings(max_examples=25)
def test_the_thinned_curve_lies_on_scikit_learns(n: int, levels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    positive, scores = rng.random(n) < 0.3, rng.integers(0, levels, n) / levels
    positive[rng.integers(n)] = True
    found = precision_recall(positive, scores)
    recall, precision, threshold = (np.array(found[k]) for k in ("recall", "precision", "threshold"))
    assert recall.size <= 200
    wanted = oracle.precision_recall_curve(positive, scores)
    on = {round(float(t), 6): (p, r) for p, r, t in zip(*(w[: len(wanted[2])] for w in wanted), strict=True)}
    for p, r, t in zip(precision, recall, threshold, strict=True):
        assert on[round(float(t), 6)] == pytest.approx((p, r), abs=1e-6)
    assert (np.diff(recall) >= 0).all()
    assert recall[-1] == 1
    assert threshold[-1] == pytest.approx(scores.min(), abs=1e-6)
    assert threshold[0] == pytest.approx(scores.max(), abs=1e-6)


def test_columns_of_classifiers_are_found_and_described() -> None:
    assert not set(CLASSIFICATION) & set(METRICS)
    for name, metric in CLASSIFICATION.items():
        assert find(name) == metric
        assert metric.definition.endswith(").")
    titles = [m.title for m in (*METRICS.values(), *CLASSIFICATION.values())]
    assert len(titles) == len(set(titles))
