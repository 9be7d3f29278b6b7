"""Steps in what stages cost, night by night: lasting changes among noise whose shape is not known.

The last three nights are compared with up to MEMORY good nights before them by the exact test
of Mann and Whitney (Annals of Mathematical Statistics 18, 1947). It asks only how often an
earlier night was as slow as one of the three, so one night that something disturbed raises no
alarm, and the rate of false alarms holds for noise of any shape, as long as nights are alike
and independent. Bonferroni over all series of the night.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WINDOW = 3
MEMORY = 60
ALPHA = 0.008
"""Probability that chance calls any series of a night worse. The promise is 1 %: that nights once called
worse are no longer compared with makes the next alarm a little likelier."""
SMALLEST = math.log(1.02)
"""A step counts only if each of the three nights is at least this far from the level."""
LARGE = math.log(1.5)
"""If each is at least this far from it, no long history is needed."""
LASTING = 4
"""An improvement found on this many nights in a row becomes the level for later nights."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Walk:
    """What was found on each night. All arrays have shape (nights, series)."""

    verdict: NDArray[np.int8]
    """1: higher, that is worse; -1: lower; 0: neither, or too short a history."""
    level: FloatArray
    """Median of the good nights before the last three, as logarithm; NaN where there is none."""
    recent: FloatArray
    """Median of the last three nights."""
    nights: NDArray[np.int64]
    """Good nights before the last three."""


def nights_needed(series: int, alpha: float = ALPHA) -> int:
    """Return how many nights must precede the last three before a small step can be found."""
    n = WINDOW
    while math.comb(n + WINDOW, WINDOW) * alpha < series:
        n += 1
    return n


def walk(logs: FloatArray, alpha: float, memory: int = MEMORY) -> Walk:
    """Judge every night by those before it.

    Parameters
    ----------
    logs : float64, shape (nights, series)
        Logarithms of costs, oldest first. A shorter series is preceded by NaN.
    alpha : probability of a false alarm of one series in one night.
    memory : nights before the last three that are looked at.
    """
    x = logs.copy()
    good = ~np.isnan(x)
    shape = x.shape
    verdict = np.zeros(shape, np.int8)
    level, recent = np.full(shape, np.nan), np.full(shape, np.nan)
    count = np.zeros(shape, np.int64)
    streak = np.zeros(shape[1], np.int64)
    for t in range(WINDOW, shape[0]):
        first = max(0, t - WINDOW + 1 - memory)
        window, before = x[t - WINDOW + 1 : t + 1], x[first : t - WINDOW + 1]
        usable = good[first : t - WINDOW + 1]
        count[t] = usable.sum(0)
        level[t], recent[t] = _median(before, usable), np.median(window, axis=0)
        verdict[t] = _verdict(window, before, usable, level[t], alpha)
        good[t - WINDOW + 1 : t + 1] &= verdict[t] == 0
        streak = np.where(verdict[t] < 0, streak + 1, 0)
        for i in np.flatnonzero(streak >= LASTING):
            began = t - WINDOW + 1 - (LASTING - 1)
            x[:began, i] += np.median(x[began : t + 1, i]) - level[t, i]
            good[began : t + 1, i] = True
            streak[i] = 0
    return Walk(verdict, level, recent, count)


def p_value(window: FloatArray, before: FloatArray, usable: NDArray[np.bool_]) -> FloatArray:
    """Return the probability that the window ranks this high above the nights before by chance.

    Parameters
    ----------
    window : float64, shape (3, series).
    before, usable : shape (nights, series); nights that are not usable do not count.

    Returns
    -------
    float64, shape (series,). Ties count against the window, so they only make it larger.
    """
    beaten = [((before >= one) & usable).sum(0) for one in window]
    u, n = np.sum(beaten, axis=0), usable.sum(0)
    found = np.empty(n.shape)
    for k in np.unique(n):
        found[n == k] = _cumulative(int(k))[u[n == k]]
    return found


def common(logs: FloatArray) -> FloatArray:
    """Return what all series of a night share: the median of their distances to their own medians.

    A machine that is slow for a night slows all of them. Of fewer than 8 series it says too little: 0.

    Parameters
    ----------
    logs : float64, shape (nights, series), NaN where not measured.

    Returns
    -------
    float64, shape (nights,).
    """
    shared = np.zeros(len(logs))
    away = logs - _median(logs, ~np.isnan(logs))
    for t, row in enumerate(away):
        known = row[~np.isnan(row)]
        if known.size >= 8:
            shared[t] = np.median(known)
    return shared


def _verdict(
    window: FloatArray, before: FloatArray, usable: NDArray[np.bool_], level: FloatArray, alpha: float
) -> NDArray[np.int8]:
    n = usable.sum(0)
    least = 1 / np.array([math.comb(k + WINDOW, WINDOW) for k in range(len(before) + 1)])
    short = (least[n] > alpha) & (n >= WINDOW)
    sides = []
    for sign in (1.0, -1.0):
        above = sign * (window - level)
        certain = (p_value(sign * window, sign * before, usable) <= alpha) & (above.min(0) >= SMALLEST)
        sides.append(certain | (short & (above.min(0) >= LARGE)))
    return np.asarray(sides[0].astype(np.int8) - sides[1].astype(np.int8))


def _median(values: FloatArray, usable: NDArray[np.bool_]) -> FloatArray:
    """Return the median of each column's usable values; NaN where there are none."""
    if not len(values):
        return np.full(values.shape[1], np.nan)
    ranked = np.sort(np.where(usable, values, np.nan), axis=0)  # NaN goes last
    n = usable.sum(0)
    low, high = np.maximum(n - 1, 0) // 2, n // 2 * (n > 0)
    middle = np.take_along_axis(ranked, np.array([low, high]), axis=0)
    return np.asarray(middle.mean(0))


@lru_cache(maxsize=256)
def _cumulative(n: int) -> FloatArray:
    """Return P(U <= u) for u = 0 ... 3 n, where U counts pairs of one of 3 and one of n in the wrong order.

    The counts are the coefficients of the Gaussian binomial (n + 3 choose 3).
    """
    counts = np.zeros(WINDOW * n + 1)
    counts[0] = 1
    for k in range(1, WINDOW + 1):  # times (1 - q^(n + k)) / (1 - q^k)
        for u in range(len(counts) - 1, n + k - 1, -1):
            counts[u] -= counts[u - n - k]
        for u in range(k, len(counts)):
            counts[u] += counts[u - k]
    return np.asarray(np.cumsum(counts) / math.comb(n + WINDOW, WINDOW))
