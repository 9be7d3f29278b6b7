"""A metric under test: computes it for generated labels as scoring would."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.contract.check import NotApplicable
from bench.contract.subject import Subject
from bench.metrics import names
from bench.metrics.bootstrap import resamples
from bench.metrics.contingency import FloatArray, IntArray, contingency
from bench.metrics.guarded import guarded
from bench.metrics.label_free import LabelledFeatures
from bench.metrics.metric import Metric
from bench.metrics.pairs import ratio
from bench.metrics.predictions import Outcomes, Predictions
from bench.metrics.tables import Tables

N, CLASSES = 120, 4
_ON_TABLES = ("tables", "pairs")


class MetricSubject(Subject):
    """A metric of labels; those that take anything but labels and features are for shipped ones alone."""

    def __init__(self, use: str) -> None:
        shipped = names.SHIPPED.get(use)
        loaded = names.Loaded(shipped, use, use) if shipped is not None else names.load(use)
        self.plain = loaded.metric
        own = self.plain.takes in ("groups", "labels")  # only shipped ones do
        self.metric = self.plain if own else guarded(loaded)
        code = getattr(self.plain.measure, "__code__", None)
        super().__init__("metric", code.co_filename if code is not None else None)

    @property
    def on_tables(self) -> bool:
        """Whether it is computed from contingency tables."""
        return self.metric.takes in _ON_TABLES

    def score(self, truth: IntArray, pred: IntArray) -> float | None:
        """Return the metric for predicted labels; None where it is undefined."""
        return _first(self.call(self.metric, self.argument(truth, pred)))

    def argument(self, truth: IntArray, pred: IntArray) -> Any:
        """Return what the metric is called with for predicted labels."""
        if self.on_tables:
            return self._tables(Tables(contingency(truth, pred)))
        if self.metric.takes == "predictions":
            return Predictions(outcomes(truth, pred), np.ones((1, truth.size)))
        if self.metric.takes == "features":
            return LabelledFeatures(features(truth), pred, np.random.default_rng(0))
        raise NotApplicable(f"it takes {self.metric.takes}, which only shipped metrics do")

    def resampled(self, truth: IntArray, pred: IntArray, times: int = 5) -> tuple[Any, list[Any]]:
        """Return an argument of several resamples, and one for each of them."""
        rng = np.random.default_rng(0)
        if self.on_tables:
            (drawn,) = resamples(contingency(truth, pred), times, rng)
            alone = [drawn.with_counts(drawn.counts[i : i + 1]) for i in range(times)]
            return self._tables(Tables(drawn)), [self._tables(Tables(c)) for c in alone]
        if self.metric.takes == "predictions":
            weights = rng.multinomial(truth.size, np.full(truth.size, 1 / truth.size), times).astype(float)
            of = outcomes(truth, pred)
            return Predictions(of, weights), [Predictions(of, w[None]) for w in weights]
        raise NotApplicable(f"it takes {self.metric.takes}, which is one set of images")

    def call(self, metric: Metric, argument: Any) -> FloatArray | None:
        """Return the numbers of a metric, shape (tables,); None where it is undefined."""
        found = metric(argument)
        if found is None:
            return None
        return np.atleast_1d(ratio(*found) if self.metric.takes == "pairs" else found)

    def _tables(self, tables: Tables) -> Any:
        return tables.pairs if self.metric.takes == "pairs" else tables


def labels(seed: int = 0, right: float = 0.7) -> tuple[IntArray, IntArray]:
    """Return true and predicted labels of which a share is right, int64, shape (120,)."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(N) % CLASSES)
    return truth, np.where(rng.random(N) < right, truth, rng.integers(0, CLASSES, N))


def outcomes(truth: IntArray, pred: IntArray) -> Outcomes:
    """Return predictions with probabilities: 0.7 for the predicted class."""
    classes = max(int(max(truth.max(), pred.max())) + 1, 2)
    p = np.full((truth.size, classes), 0.3 / (classes - 1))
    p[np.arange(truth.size), pred] = 0.7
    return Outcomes(truth, pred, p)


def features(truth: IntArray) -> NDArray[np.float32]:
    """Return features that are clusters of the true classes, shape (n, classes)."""
    noise = np.random.default_rng(2).normal(0, 0.3, (truth.size, CLASSES))
    return (noise + np.eye(CLASSES)[truth]).astype(np.float32)


def _first(numbers: FloatArray | None) -> float | None:
    return None if numbers is None else float(numbers[0])
