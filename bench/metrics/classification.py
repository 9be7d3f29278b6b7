"""Scores of classifiers: the predicted class against the true one, by name; nothing is matched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.interfaces import Json
from bench.metrics.bootstrap import interval
from bench.metrics.contingency import FloatArray, IntArray
from bench.metrics.metric import Metric
from bench.metrics.names import CLASSIFICATION
from bench.metrics.predictions import Outcomes, PrecisionRecallCurve, Predictions

_MOST_DRAWS = 15_000_000
"""Images drawn per score; larger sets get fewer replicates, but at least 100 if requested."""
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


@dataclass(frozen=True)
class ClassScoring:
    """How predicted classes are scored."""

    replicates: int = 1000
    """Resamples of the images for the intervals; 0 for none."""
    level: float = 0.95
    extra: Sequence[Metric] = ()
    """Metrics that take `predictions`, beside `CLASSIFICATION`."""

    @property
    def metrics(self) -> dict[str, Metric]:
        """All metrics by name, in the order of records."""
        return {**CLASSIFICATION, **{m.name: m for m in self.extra}}

    def score(
        self,
        truth: IntArray,
        pred: IntArray,
        probabilities: NDArray[np.floating] | None = None,
        rng: np.random.Generator | None = None,
    ) -> ClassScores:
        """Compare predicted classes with true ones; see `score_classes`."""
        if truth.shape != pred.shape or (probabilities is not None and len(probabilities) != truth.size):
            raise DataError(f"{truth.size} true classes, but {pred.size} predictions or other probabilities")
        known = truth >= 0
        if not known.any():
            raise DataError(
                f"no image has a true label: {truth.size} images, all with the label -1 (unknown)"
            )
        p = probabilities[known] if probabilities is not None else None
        outcomes = Outcomes(truth[known], pred[known], p)
        once = Predictions(outcomes, np.ones((1, outcomes.n)))
        values = {name: float(v[0]) for name, v in _values(self.metrics, once).items()}
        recalls = dict(zip(outcomes.classes.tolist(), once.recalls[0].tolist(), strict=True))
        rng = np.random.default_rng(0) if rng is None else rng
        return ClassScores(values, self._intervals(outcomes, values, rng), recalls)

    def _intervals(
        self, outcomes: Outcomes, values: Mapping[str, float], rng: np.random.Generator
    ) -> dict[str, tuple[float, float]]:
        n = outcomes.n
        replicates = min(self.replicates, max(_FEWEST_REPLICATES, _MOST_DRAWS // n))
        if not replicates:
            return {}
        curves = n * replicates * len(outcomes.curves) <= _MOST_STEPS
        metrics = {name: m for name, m in self.metrics.items() if name in values}
        parts: dict[str, list[FloatArray]] = {}
        for weights in _resamples(n, replicates, rng):
            for name, value in _values(metrics, Predictions(outcomes, weights, curves=curves)).items():
                parts.setdefault(name, []).append(value)
        return {
            name: interval(values[name], np.concatenate(parts[name]), self.level, m.low, m.high)
            for name, m in metrics.items()
            if name in parts
        }


def score_classes(
    truth: IntArray,
    pred: IntArray,
    probabilities: NDArray[np.floating] | None = None,
    *,
    replicates: int = 1000,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> ClassScores:
    """Compare predicted classes with true ones by every metric in `CLASSIFICATION`.

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
    return ClassScoring(replicates, level).score(truth, pred, probabilities, rng)


def precision_recall(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> dict[str, Json]:
    """Return the precision-recall curve of a record: at most 200 points, from the highest threshold down.

    Parameters
    ----------
    positive : shape (n,), at least one of them true.
    scores : shape (n,), higher means more likely positive.

    Returns
    -------
    `recall`, `precision` and `threshold`, one entry each per point: of the images with a score of at least
    the threshold. Points are spread evenly over the recall; the first and the last one are always included.
    """
    curve = PrecisionRecallCurve(positive, scores)
    hits, taken = (c[0] for c in curve.counts(np.ones((1, positive.size))))
    recall, precision = hits / hits[-1], hits / taken
    spread = np.linspace(0, 1, _POINTS - 2)
    at = np.unique([0, *np.searchsorted(recall, spread).clip(max=recall.size - 1), recall.size - 1])
    rounded = {
        "recall": recall[at],
        "precision": precision[at],
        "threshold": curve.thresholds[at].astype(np.float64),
    }
    return {name: [round(float(v), 6) for v in values] for name, values in rounded.items()}


def _values(metrics: Mapping[str, Metric], predictions: Predictions) -> dict[str, FloatArray]:
    """Return the metrics that are defined, each of shape (rows,)."""
    found = {name: m(predictions) for name, m in metrics.items()}
    return {name: value for name, value in found.items() if value is not None}


def _resamples(n: int, replicates: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Yield how often each image is drawn, shape (rows, n), `replicates` rows in all."""
    at_once = max(1, _CHUNK // n)
    for start in range(0, replicates, at_once):
        drawn = rng.integers(0, n, (min(at_once, replicates - start), n))
        yield np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(np.float64)
