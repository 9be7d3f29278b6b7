"""How far join probabilities can be taken at their word, and how to put them right."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.interfaces import Json

_LEAST = 1e-6
_BLOCK = 1 << 24


def reliability(truth: ArrayLike, probabilities: NDArray[np.float32], bins: int = 10) -> dict[str, Json]:
    """Compare predicted probabilities with the share of joins among the pairs of each bin.

    Parameters
    ----------
    truth : int, shape (n,); -1 = unknown, left out.
    probabilities : (n, n), symmetric.

    Returns
    -------
    `predicted`, `joined`, `pairs`: lists over the bins that hold pairs; and `ece`, the expected
    calibration error: the mean of |joined - predicted| over pairs (Naeini et al., AAAI 2015).
    """
    t = np.asarray(truth)
    known = np.flatnonzero(t >= 0)
    count, total, joined = np.zeros(bins, np.int64), np.zeros(bins), np.zeros(bins)
    step = max(1, _BLOCK // max(1, known.size))
    for start in range(0, known.size, step):
        rows = known[start : start + step]
        once = rows[:, None] < known
        p = probabilities[np.ix_(rows, known)][once].astype(np.float64)
        same = (t[rows][:, None] == t[known])[once]
        where = np.minimum((p * bins).astype(np.int64), bins - 1)
        count += np.bincount(where, minlength=bins)
        total += np.bincount(where, p, bins)
        joined += np.bincount(where, same, bins)
    full = count > 0
    predicted, share = total[full] / count[full], joined[full] / count[full]
    error = float(np.average(np.abs(predicted - share), weights=count[full])) if full.any() else 0.0
    return {
        "predicted": [round(float(x), 6) for x in predicted],
        "joined": [round(float(x), 6) for x in share],
        "pairs": [int(x) for x in count[full]],
        "ece": round(error, 6),
    }


def fit_platt(log_odds: NDArray[np.float64], joined: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope a > 0 and offset b that make sigmoid(a * log_odds + b) fit best.

    Maximum likelihood with the smoothed targets of Platt (1999), so that pairs separated without an
    error still give finite numbers. Without pairs of both kinds: (1, 0).
    """
    from scipy.optimize import minimize

    positive, negative = int(joined.sum()), int((~joined).sum())
    if not positive or not negative:
        return 1.0, 0.0
    target = np.where(joined, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(ab: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = np.exp(ab[0]) * log_odds + ab[1]
        error = 1 / (1 + np.exp(-np.clip(z, -700, 700))) - target
        value = float(np.mean(np.logaddexp(0, z) - target * z))
        return value, np.array([np.mean(error * log_odds) * np.exp(ab[0]), np.mean(error)])

    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-7, 7), (-50, 50)])
    return float(np.exp(found.x[0])), float(found.x[1])


def recalibrated(p: NDArray[np.float32], slope: float, offset: float) -> NDArray[np.float32]:
    """Return sigmoid(slope * log-odds(p) + offset); the diagonal of a square matrix stays 1."""
    odds = np.clip(p.astype(np.float64), _LEAST, 1 - _LEAST)
    out = 1 / (1 + np.exp(-(slope * np.log(odds / (1 - odds)) + offset)))
    np.fill_diagonal(out, 1.0)
    return out.astype(np.float32)
