"""Scores of classifiers: the predicted class against the true one, by name; nothing is matched."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.interfaces import Json
from bench.metrics.bootstrap import interval
from bench.metrics.contingency import FloatArray, IntArray
from bench.metrics.names import CLASSIFICATION

_MOST_DRAWS = 15_000_000
"""Images drawn per score; larger sets get fewer replicates, but 100 at least, if asked for."""
_FEWEST_REPLICATES = 100
_CHUNK = 1 << 21
"""Images drawn at once."""
_MOST_STEPS = 1_000_000_000
"""Images x replicates x classes up to which average precision has an interval."""
_POINTS = 200
"""Points of a precision-recall curve in a record."""


@dataclass(frozen=True)
class ClassScores:
    """Scores of one prediction, keyed by the names in `CLASSIFICATION`; undefined ones are left out."""

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    """Empty if no replicates were asked for."""
    recalls: dict[int, float] = field(default_factory=dict)
    """Share of the images of each true class that are predicted right."""


def score_classes(
    truth: IntArray,
    pred: IntArray,
    probabilities: NDArray[np.floating] | None = None,
    *,
    replicates: int = 1000,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> ClassScores:
    """Compare predicted classes with true ones.

    Parameters
    ----------
    truth : int64, shape (n,); -1 is an unknown label, and the image is left out.
    pred : int64, shape (n,); the same number means the same class. -1 is always wrong.
    probabilities : shape (n, classes), for average precision, which one true class alone does not define.
    replicates, level, rng : of the intervals, as for `bench.metrics.score.score`.

    Raises
    ------
    DataError : shapes that do not fit, or no labelled image.
    """
    if truth.shape != pred.shape or (probabilities is not None and len(probabilities) != truth.size):
        raise DataError(f"{truth.size} true classes, but {pred.size} predictions or other probabilities")
    known = truth >= 0
    if not known.any():
        raise DataError(f"no image has a true label: {truth.size} images, all with the label -1 (unknown)")
    labels = _Labels(truth[known], pred[known])
    once = np.ones((1, labels.n))
    values = {name: float(v[0]) for name, v in labels.measure(once).items()}
    curves = _curves(labels, probabilities[known]) if probabilities is not None else []
    if curves:
        values["average_precision"] = float(_mean_precision(curves, once)[0])
    rng = np.random.default_rng(0) if rng is None else rng
    recalls = dict(zip(labels.classes.tolist(), labels.recalls(once)[0].tolist(), strict=True))
    intervals = _intervals(labels, curves, values, replicates, level, rng)
    return ClassScores({n: values[n] for n in CLASSIFICATION if n in values}, intervals, recalls)


def precision_recall(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> dict[str, Json]:
    """Return the precision-recall curve of a record: at most 200 points, from the highest threshold down.

    Parameters
    ----------
    positive : shape (n,), at least one of them true.
    scores : shape (n,), higher means rather positive.

    Returns
    -------
    `recall`, `precision` and `threshold`, one entry each per point: of the images with a score of at least
    the threshold. Points are spread evenly over the recall; the first and the last one are always kept.
    """
    curve = _Curve(positive, scores)
    hits, taken = (c[0] for c in curve.counts(np.ones((1, positive.size))))
    recall, precision = hits / hits[-1], hits / taken
    wanted = np.linspace(0, 1, _POINTS - 2)
    at = np.unique([0, *np.searchsorted(recall, wanted).clip(max=recall.size - 1), recall.size - 1])
    rounded = {
        "recall": recall[at],
        "precision": precision[at],
        "threshold": curve.thresholds[at].astype(np.float64),
    }
    return {name: [round(float(v), 6) for v in values] for name, values in rounded.items()}


class _Labels:
    """Classes of the images, in the form in which weighted sums over images are quick."""

    def __init__(self, truth: IntArray, pred: IntArray) -> None:
        self.n = truth.size
        self.truth = truth
        self.classes, self._of_truth = np.unique(truth, return_inverse=True)
        place = np.searchsorted(self.classes, pred).clip(max=self.classes.size - 1)
        self._of_pred = np.where(self.classes[place] == pred, place, self.classes.size)
        self._right = truth == pred

    def measure(self, weights: FloatArray) -> dict[str, FloatArray]:
        """Return each score of every row of weights, which has one entry per image."""
        size, hits = self._sums(weights, self._of_truth), self._hits(weights)
        taken = self._sums(weights, self._of_pred)
        there = size > 0  # a resample may lack a class
        present = there.sum(axis=1)
        f1 = 2 * hits / np.maximum(size + taken, 1)
        return {
            "accuracy": hits.sum(axis=1) / self.n,
            "balanced_accuracy": np.where(there, hits / np.maximum(size, 1), 0).sum(axis=1) / present,
            "f1_per_class": np.where(there, f1, 0).sum(axis=1) / present,
        }

    def recalls(self, weights: FloatArray) -> FloatArray:
        return self._hits(weights) / np.maximum(self._sums(weights, self._of_truth), 1)

    def _hits(self, weights: FloatArray) -> FloatArray:
        return self._sums(weights * self._right, self._of_truth)

    def _sums(self, weights: FloatArray, groups: NDArray[np.intp]) -> FloatArray:
        """Return sums over the images of each class, shape (rows, classes); others do not count."""
        k = self.classes.size
        return np.stack([np.bincount(groups, row, k + 1)[:k] for row in weights])


class _Curve:
    """Images by falling score; equal scores are one step of the curve."""

    def __init__(self, positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        falling = scores[self._order]
        self._last = np.append(np.flatnonzero(np.diff(falling)), scores.size - 1)
        self._positive = positive[self._order]
        self.thresholds = falling[self._last]

    def counts(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return positives, and all images, at or above each threshold, shape (rows, thresholds)."""
        w = weights[:, self._order]
        return np.cumsum(w * self._positive, axis=1)[:, self._last], np.cumsum(w, axis=1)[:, self._last]

    def average_precision(self, weights: FloatArray) -> FloatArray:
        """Return sum of (recall step x precision), shape (rows,); NaN for rows without a positive."""
        hits, taken = self.counts(weights)
        steps = np.diff(hits, axis=1, prepend=0)
        total = hits[:, -1]
        area = (steps * hits / np.maximum(taken, 1)).sum(axis=1)
        return np.where(total > 0, area / np.maximum(total, 1), np.nan)


def _curves(labels: _Labels, probabilities: NDArray[np.floating]) -> list[_Curve]:
    """Return the curve of the second of two classes, or of each of more against the rest."""
    classes = labels.classes
    if classes.size < 2:
        return []
    wanted = classes[1:] if classes.size == 2 else classes
    return [_Curve(labels.truth == c, probabilities[:, c]) for c in wanted]


def _mean_precision(curves: list[_Curve], weights: FloatArray) -> FloatArray:
    found = np.stack([curve.average_precision(weights) for curve in curves])
    there = ~np.isnan(found)
    mean: FloatArray = np.where(there, found, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return mean


def _intervals(
    labels: _Labels,
    curves: list[_Curve],
    values: dict[str, float],
    replicates: int,
    level: float,
    rng: np.random.Generator,
) -> dict[str, tuple[float, float]]:
    n = labels.n
    replicates = min(replicates, max(_FEWEST_REPLICATES, _MOST_DRAWS // n))
    if not replicates:
        return {}
    curves = curves if n * replicates * len(curves) <= _MOST_STEPS else []
    parts: dict[str, list[FloatArray]] = {}
    at_once = max(1, _CHUNK // n)
    for start in range(0, replicates, at_once):
        rows = min(at_once, replicates - start)
        drawn = rng.integers(0, n, (rows, n))
        weights = np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(np.float64)
        found = labels.measure(weights)
        if curves:
            found["average_precision"] = _mean_precision(curves, weights)
        for name, value in found.items():
            parts.setdefault(name, []).append(value)
    return {
        name: interval(values[name], np.concatenate(parts[name]), level, 0.0, 1.0)
        for name in CLASSIFICATION
        if name in parts
    }
