"""From the similarity of a pair to the log-odds that it shows one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError


@dataclass(frozen=True)
class Calibration:
    """Log-odds of a join = slope * (similarity - threshold)."""

    slope: float
    threshold: float

    def costs(self, similarity: NDArray[Any]) -> NDArray[np.float32]:
        """Return the cost of each similarity, clipped to log-odds of +-13.8 (probability 1e-6)."""
        return np.clip(self.slope * (similarity - self.threshold), -13.8, 13.8).astype(np.float32)


def from_labelled_pairs(
    similarity: NDArray[Any], same: NDArray[np.bool_], prior: float | None = None
) -> Calibration:
    """Fit a logistic regression by Newton's method.

    Parameters
    ----------
    similarity : float, shape (k,)
    same : bool, shape (k,), whether the two images of a pair show one class
    prior : share of joins among all pairs, where that differs from the share among the labelled ones.

    Raises
    ------
    DataError : only joins or only cuts, or joins that are not more similar than cuts.

    Notes
    -----
    A weak ridge keeps the slope finite when a threshold separates joins from cuts.
    """
    if same.all() or not same.any():
        raise DataError(f"all {same.size} labelled pairs are {'joins' if same.any() else 'cuts'}; give both")
    scale = float(similarity.std()) or 1.0
    z, y = (similarity - similarity.mean()) / scale, same.astype(np.float64)
    slope, offset = 1.0, 0.0
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(slope * z + offset, -30, 30)))
        w = p * (1 - p)
        gradient = np.array([((y - p) * z).sum() - 1e-3 * slope, (y - p).sum()])
        curvature = np.array([[(w * z * z).sum() + 1e-3, (w * z).sum()], [(w * z).sum(), w.sum() + 1e-9]])
        step = np.linalg.solve(curvature, gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        slope, offset = slope + float(step[0]), offset + float(step[1])
        if np.abs(step).max() < 1e-10:
            break
    if slope <= 0:
        raise DataError("labelled joins are not more similar than labelled cuts; check features and labels")
    if prior is not None:
        share = float(y.mean())
        offset += float(np.log(prior / (1 - prior)) - np.log(share / (1 - share)))
    return Calibration(slope / scale, float(similarity.mean()) - offset * scale / slope)


def without_labels(similarity: NDArray[Any], nearest: NDArray[Any]) -> Calibration:
    """Guess which similarity separates joins from cuts, from the similarities alone.

    Two normal distributions are fitted to the similarities of random pairs by expectation
    maximisation, the upper one, of joins, starting at the similarities of nearest neighbours. The
    threshold is where both are equally likely, shares included; the slope is that of the log-odds there.

    Parameters
    ----------
    similarity : float, shape (k,), of random pairs
    nearest : float, shape (n',), of images and their nearest neighbours

    Raises
    ------
    DataError : no two groups are visible; labelled pairs are needed.

    Notes
    -----
    An assumption, not a measurement: it holds where classes are compact and their pairs not too rare
    (from about one in a hundred). Check the result on labelled data where there is any.
    """
    s = similarity.astype(np.float64)
    mean = np.array([np.median(s), np.median(nearest)])
    variance = np.array([s.var(), nearest.var() or s.var()])
    share = np.array([0.9, 0.1])
    if not (mean[1] > mean[0] and variance.min() > 0):
        raise DataError("all pairs of images are equally similar; give labelled pairs to calibrate with")
    floor = 1e-4 * s.var()
    for _ in range(200):
        logs = np.log(share) - 0.5 * np.log(variance) - 0.5 * (s[:, None] - mean) ** 2 / variance
        joins = 1 / (1 + np.exp(np.clip(logs[:, 0] - logs[:, 1], -50, 50)))
        weight = np.stack([1 - joins, joins], 1)
        total = np.maximum(weight.sum(0), 1e-9)
        old, mean = mean, (weight * s[:, None]).sum(0) / total
        variance = np.maximum((weight * (s[:, None] - mean) ** 2).sum(0) / total, floor)
        share = np.clip(total / s.size, 1e-6, 1 - 1e-6)
        if np.abs(mean - old).max() < 1e-7 * np.sqrt(s.var()):
            break
    return _crossing(mean, variance, share)


def _crossing(mean: NDArray[Any], variance: NDArray[Any], share: NDArray[Any]) -> Calibration:
    grid = np.linspace(mean[0], mean[1], 1001)
    each = np.log(share) - 0.5 * np.log(variance) - 0.5 * (grid[:, None] - mean) ** 2 / variance
    odds = each[:, 1] - each[:, 0]
    if mean[1] <= mean[0] or not odds[0] < 0 < odds[-1]:
        raise DataError("similarities of pairs show no two groups; give labelled pairs to calibrate with")
    at = int(np.argmax(odds > 0))
    threshold = float(np.interp(0, odds[at - 1 : at + 1], grid[at - 1 : at + 1]))
    slope = (threshold - mean[0]) / variance[0] + (mean[1] - threshold) / variance[1]
    return Calibration(float(slope), threshold)
