"""Entropies of classes and clusters in bits, and the metrics made of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.metrics.contingency import Contingency, FloatArray, IntArray
from bench.metrics.pairs import ratio


class Information(NamedTuple):
    """Entropies in bits, each of shape (tables,). Mutual information is `truth - false_joins`."""

    truth: FloatArray
    """H(truth)."""
    pred: FloatArray
    """H(pred)."""
    false_cuts: FloatArray
    """H(pred | truth): 0 exactly when no class is split."""
    false_joins: FloatArray
    """H(truth | pred): 0 exactly when no classes are merged."""


def information(table: Contingency) -> Information:
    """Return the entropies of classes and clusters, and of each given the other; O(cells)."""
    n = table.n
    cells, rows, cols = (_sum_x_log_x(x) / n for x in (table.counts, table.row_sums, table.col_sums))
    n_cells, n_rows, n_cols = (
        np.count_nonzero(x, axis=1) for x in (table.counts, table.row_sums, table.col_sums)
    )
    # the differences are exact zeros in truth whenever the counts of non-zero entries agree
    return Information(
        truth=_entropy(np.log2(n) - rows, n_rows == 1),
        pred=_entropy(np.log2(n) - cols, n_cols == 1),
        false_cuts=_entropy(rows - cells, n_rows == n_cells),
        false_joins=_entropy(cols - cells, n_cols == n_cells),
    )


def normalized_mutual_information(h: Information) -> FloatArray:
    """Mutual information over the mean entropy (arithmetic); 1 when both are a single cluster."""
    # 1 - VI / (H(T) + H(P)) is the same number, and exactly 1 for a perfect clustering
    total = h.truth + h.pred
    return np.where(total == 0, 1.0, 1 - ratio(h.false_cuts + h.false_joins, total)).clip(0, 1)


def adjusted_mutual_information(h: Information, expected: FloatArray) -> FloatArray:
    """Mutual information adjusted for chance (Vinh, Epps and Bailey 2010, eq. 12, arithmetic mean).

    `expected` is the expected mutual information in bits, shape (tables,). A perfect clustering has
    1, also where chance alone makes it perfect (one cluster; each image alone). Where either side
    is one cluster, or each image alone, and the other is not, the value is 0.
    """
    loss = (h.false_cuts + h.false_joins) / 2
    room = (h.truth + h.pred) / 2 - expected
    return np.where(loss == 0, 1.0, 1 - loss / np.where(loss == 0, 1.0, room))


def _entropy(bits: FloatArray, is_zero: np.ndarray) -> FloatArray:
    return np.where(is_zero, 0.0, bits.clip(0))


def _sum_x_log_x(x: IntArray) -> FloatArray:
    total: FloatArray = (x * np.log2(np.maximum(x, 1))).sum(axis=1)
    return total
