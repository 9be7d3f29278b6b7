"""Metrics that only classifiers have: their classes have names, so nothing is matched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.metrics.metric import Metric

if TYPE_CHECKING:
    from bench.metrics.contingency import FloatArray
    from bench.metrics.predictions import Predictions


def _balanced_accuracy(p: Predictions) -> FloatArray:
    return p.mean_over_classes(p.recalls)


def _f1_per_class(p: Predictions) -> FloatArray:
    return p.mean_over_classes(p.f1)


ACCURACY = Metric(
    "accuracy",
    "accuracy",
    "Share of images whose predicted class is the true one (scikit-learn accuracy_score).",
    lambda p: p.hits.sum(axis=1) / p.n,
    "predictions",
    order=210,
)
BALANCED_ACCURACY = Metric(
    "balanced_accuracy",
    "balanced accuracy",
    "Mean over the true classes of the share of their images predicted right; 1 / classes if all are "
    "predicted as one class (scikit-learn balanced_accuracy_score).",
    _balanced_accuracy,
    "predictions",
    order=220,
)
F1_PER_CLASS = Metric(
    "f1_per_class",
    "F1 per class",
    "F1 of each true class against the predicted class of that name, every class counting the same "
    "(scikit-learn f1_score, macro over the true classes).",
    _f1_per_class,
    "predictions",
    order=230,
)
AVERAGE_PRECISION = Metric(
    "average_precision",
    "AP",
    "Area under the precision-recall curve as a sum of steps: of two classes for the second by name, "
    "of more the mean over each against the rest (scikit-learn average_precision_score, macro).",
    lambda p: p.average_precision,
    "predictions",
    order=240,
)
