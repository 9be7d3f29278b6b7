"""The contingency table of truth and prediction: all that a metric needs to know about the labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_DENSE_CELLS = 1 << 16
"""Tables up to this size are counted densely however few the images."""


@dataclass(frozen=True)
class Contingency:
    """One contingency table, or several that share their non-zero cells (resamples).

    Attributes
    ----------
    rows, cols : int64, shape (cells,): class and cluster of each cell, sorted by row, then column.
        Every row index below `rows.max()` occurs, and every column index.
    counts : int64, shape (tables, cells): images in each cell; zeros occur in resamples only.
    """

    rows: IntArray
    cols: IntArray
    counts: IntArray

    @cached_property
    def n(self) -> int:
        """Number of images; the same in every table."""
        return int(self.counts[0].sum())

    @cached_property
    def row_sums(self) -> IntArray:
        """Class sizes, shape (tables, rows)."""
        starts = np.flatnonzero(np.diff(self.rows, prepend=-1))
        return np.add.reduceat(self.counts, starts, axis=1)

    @cached_property
    def col_sums(self) -> IntArray:
        """Cluster sizes, shape (tables, columns)."""
        order = np.argsort(self.cols, kind="stable")
        starts = np.flatnonzero(np.diff(self.cols[order], prepend=-1))
        return np.add.reduceat(self.counts[:, order], starts, axis=1)

    def with_counts(self, counts: IntArray) -> Contingency:
        """Return tables with the same cells and other counts, shape (tables, cells)."""
        return replace(self, counts=counts)


def contingency(truth: IntArray, pred: IntArray, alone: NDArray[np.bool_] | None = None) -> Contingency:
    """Count how many images of each class lie in each cluster.

    Parameters
    ----------
    truth, pred : int64, shape (n,), n > 0
        Ids are names: their order, gaps and signs mean nothing.
    alone : bool, shape (n,), optional
        Images that form a cluster of their own, whatever `pred` says.

    Notes
    -----
    O(n) time when ids or the table they span are not much larger than n, else O(n log n) for sorting.
    """
    t, width_t = _codes(truth)
    if alone is None or not alone.any():
        rows, cols, counts = _count(t, width_t, pred)
    else:
        rows, cols, counts = _count(t[~alone], width_t, pred[~alone])
        single = t[alone]
        rows = np.concatenate([rows, single])
        cols = np.concatenate([cols, cols.max(initial=-1) + 1 + np.arange(single.size)])
        counts = np.concatenate([counts, np.ones(single.size, np.int64)])
    rows, cols = _dense_ranks(rows), _dense_ranks(cols)
    order = np.lexsort((cols, rows))
    return Contingency(rows[order], cols[order], counts[order][None])


def _count(t: IntArray, width_t: int, pred: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return rows, columns and counts of the non-zero cells."""
    if not t.size:
        return t, t, t
    p, width_p = _codes(pred)
    key = t * width_p + p
    if width_t * width_p <= max(4 * t.size, _DENSE_CELLS):
        table = np.bincount(key)
        cells = np.flatnonzero(table)
        counts = table[cells]
    else:
        cells, counts = np.unique(key, return_counts=True)
    return cells // width_p, cells % width_p, counts.astype(np.int64)


def _codes(ids: IntArray) -> tuple[IntArray, int]:
    """Return codes from 0, equal where ids are equal, and a bound above them; codes may leave gaps."""
    low = ids.min()
    width = int(ids.max()) - int(low) + 1
    if width <= max(4 * ids.size, _DENSE_CELLS):
        return ids - low, width
    names = np.unique(ids)
    return np.searchsorted(names, ids).astype(np.int64, copy=False), names.size


def _dense_ranks(codes: IntArray) -> IntArray:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64, copy=False)
