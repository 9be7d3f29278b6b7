"""What the metrics of a classifier are computed from: predicted classes beside true ones, image by image."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.metrics.contingency import FloatArray, IntArray


class PrecisionRecallCurve:
    """Images by falling score; equal scores are one step of the curve.

    Parameters
    ----------
    positive : shape (n,).
    scores : shape (n,), higher means more likely positive.
    """

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


class Outcomes:
    """True and predicted classes of labelled images, in the form in which weighted sums are quick.

    Parameters
    ----------
    truth : int64, shape (n,), at least 0.
    pred : int64, shape (n,); the same number means the same class. -1 is always wrong.
    probabilities : shape (n, classes), if there are any.
    """

    def __init__(
        self, truth: IntArray, pred: IntArray, probabilities: NDArray[np.floating] | None = None
    ) -> None:
        self.n = truth.size
        self.truth, self.pred, self.probabilities = truth, pred, probabilities
        self.classes, self.of_truth = np.unique(truth, return_inverse=True)
        index = np.searchsorted(self.classes, pred).clip(max=self.classes.size - 1)
        self.of_pred = np.where(self.classes[index] == pred, index, self.classes.size)

    @cached_property
    def curves(self) -> list[PrecisionRecallCurve]:
        """The curve of the second of two classes, or of each of more against the rest; else none."""
        if self.probabilities is None or self.classes.size < 2:
            return []
        positive = self.classes[1:] if self.classes.size == 2 else self.classes
        return [PrecisionRecallCurve(self.truth == c, self.probabilities[:, c]) for c in positive]

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image is predicted right."""
        right: NDArray[np.bool_] = self.truth == self.pred
        return right


class Predictions:
    """Predictions of weighted images: the images themselves, or resamples of them.

    Everything is computed when first asked for, and once. Arrays have one row per resample; classes
    are the true classes that occur, by number. They are shared by all metrics: do not write into them.

    Parameters
    ----------
    of : the images.
    weights : shape (rows, n), how often each image is drawn.
    curves : compute average precision, which costs the most.
    """

    def __init__(self, of: Outcomes, weights: FloatArray, *, curves: bool = True) -> None:
        self._of = of
        self.weights = weights
        self._with_curves = curves

    @property
    def n(self) -> int:
        """Number of images; the same in every resample."""
        return self._of.n

    @property
    def truth(self) -> IntArray:
        """True class of each image, shape (n,)."""
        return self._of.truth

    @property
    def pred(self) -> IntArray:
        """Predicted class of each image, shape (n,); the same number means the same class, -1 is none."""
        return self._of.pred

    @property
    def probabilities(self) -> NDArray[np.floating] | None:
        """Probability of each class of the image set, shape (n, classes), if the classifier gives any."""
        return self._of.probabilities

    @cached_property
    def sizes(self) -> FloatArray:
        """Images of each class, shape (rows, classes); 0 in resamples that lack one."""
        return self._sums(self.weights, self._of.of_truth)

    @cached_property
    def hits(self) -> FloatArray:
        """Images of each class that are predicted right, shape (rows, classes)."""
        return self._sums(self.weights * self._of.right, self._of.of_truth)

    @cached_property
    def taken(self) -> FloatArray:
        """Images predicted as each class, shape (rows, classes)."""
        return self._sums(self.weights, self._of.of_pred)

    @cached_property
    def recalls(self) -> FloatArray:
        """Share of each class that is predicted right, shape (rows, classes); 0 without images."""
        return self.hits / np.maximum(self.sizes, 1)

    @cached_property
    def f1(self) -> FloatArray:
        """F1 of each class, shape (rows, classes)."""
        return 2 * self.hits / np.maximum(self.sizes + self.taken, 1)

    @cached_property
    def average_precision(self) -> FloatArray | None:
        """Mean over the classes with a curve that occur, shape (rows,); None: no curves."""
        if not self._with_curves or not self._of.curves:
            return None
        found = np.stack([curve.average_precision(self.weights) for curve in self._of.curves])
        there = ~np.isnan(found)
        mean: FloatArray = np.where(there, found, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        return mean

    def mean_over_classes(self, values: FloatArray) -> FloatArray:
        """Return the mean of (rows, classes) over the classes that occur in each row, shape (rows,)."""
        there = self.sizes > 0
        mean: FloatArray = np.where(there, values, 0).sum(axis=1) / there.sum(axis=1)
        return mean

    def _sums(self, weights: FloatArray, groups: NDArray[np.intp]) -> FloatArray:
        """Return sums over the images of each class, shape (rows, classes); others do not count."""
        k = self._of.classes.size
        return np.stack([np.bincount(groups, row, k + 1)[:k] for row in weights])
