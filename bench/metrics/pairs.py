"""Pairs of images: cuts and joins of truth and prediction, and the metrics made of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.metrics.contingency import Contingency, FloatArray, IntArray

LARGEST_N = 3_000_000_000
"""Above this, squares of cluster sizes may not fit int64."""


class PairCounts(NamedTuple):
    """Unordered pairs of images, by what truth, then prediction, does with them; each of shape (tables,)."""

    join_join: IntArray
    """Joined by both."""
    join_cut: IntArray
    """False cuts."""
    cut_join: IntArray
    """False joins."""
    cut_cut: IntArray
    """Cut by both."""


def pair_counts(table: Contingency) -> PairCounts:
    """Count pairs exactly, without listing them; the four sum to n (n - 1) / 2.

    O(cells). Raises `OverflowError` beyond three billion images.
    """
    n = table.n
    if n > LARGEST_N:
        raise OverflowError(f"pairs of {n} images cannot be counted in 64 bits; the limit is {LARGEST_N}")
    both = _pairs(table.counts)
    in_truth = _pairs(table.row_sums)
    in_pred = _pairs(table.col_sums)
    return PairCounts(both, in_truth - both, in_pred - both, n * (n - 1) // 2 - in_truth - in_pred + both)


def adjusted_rand_index(c: PairCounts) -> FloatArray:
    """Rand index adjusted for chance (Hubert and Arabie 1985); 1 where all pairs agree."""
    jj, jc, cj, cc = (x.astype(np.float64) for x in c)
    # this form subtracts no two nearly equal large numbers in the denominator
    return ratio(2 * (jj * cc - jc * cj), (jj + jc) * (jc + cc) + (jj + cj) * (cj + cc))


def ratio(part: IntArray | FloatArray, whole: IntArray | FloatArray) -> FloatArray:
    """Return part / whole, and 1 where whole is 0."""
    empty = whole == 0
    return np.where(empty, 1.0, part / np.where(empty, 1, whole))


def _pairs(sizes: IntArray) -> IntArray:
    total: IntArray = (sizes * (sizes - 1)).sum(axis=1)
    return total // 2
