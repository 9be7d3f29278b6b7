"""Matching clusters to classes (Hungarian algorithm), and the metrics made of it."""

from __future__ import annotations

import numpy as np

from bench.metrics.contingency import Contingency, FloatArray, IntArray

_DENSE_ENTRIES = 1 << 22
"""Largest matrix handed to the dense solver (32 MiB)."""


def match(table: Contingency) -> IntArray:
    """Match clusters to classes one to one so that the most images lie in matched cells.

    Returns
    -------
    int64, shape (tables, rows): the cell that joins each class to its cluster; -1 for a class that
    gets no cluster. Among equally accurate matchings it takes the one with the greatest weighted
    F1 (to within 0.1 % of the macro F1), so that renaming clusters changes nothing.

    Notes
    -----
    Clusters in which a single class occurs compete for that class only: just the largest of them
    enters the matrix, and classes without any other cluster do not. So each image alone, or much
    noise, costs little.
    """
    alone = np.bincount(table.cols)[table.cols] == 1
    shared = np.flatnonzero(~alone)
    matched = _largest(table, np.flatnonzero(alone))
    if not shared.size:
        return matched
    contested, rows = np.unique(table.rows[shared], return_inverse=True)
    names, cols = np.unique(table.cols[shared], return_inverse=True)
    own = np.flatnonzero(matched[0, contested] >= 0)
    best = matched[:, contested[own]]
    cells = np.concatenate([np.broadcast_to(shared, (len(best), shared.size)), best], axis=1)
    rows = np.concatenate([rows, own])
    cols = np.concatenate([cols, names.size + np.arange(own.size)])
    weights = np.take_along_axis(_weights(table), cells, axis=1)
    shape = contested.size, names.size + own.size
    chosen = (_dense if shape[0] * shape[1] <= _DENSE_ENTRIES else _sparse)(rows, cols, weights, shape)
    matched[:, contested] = np.where(chosen < 0, -1, np.take_along_axis(cells, np.maximum(chosen, 0), axis=1))
    return matched


def accuracy(table: Contingency, matched: IntArray) -> FloatArray:
    """Share of images in matched cells, shape (tables,)."""
    share: FloatArray = _at(table.counts, matched).sum(axis=1) / table.n
    return share


def f1(table: Contingency, matched: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return F1 weighted by class size and F1 averaged over the classes, each of shape (tables,).

    Equal to scikit-learn's `f1_score(average="weighted")` and `"macro"` over the true classes, with
    `zero_division=0`, when every matched cluster is given the name of its class and every unmatched
    cluster a name that no class has. A class without a cluster has F1 = 0.
    """
    sizes = table.row_sums
    clusters = np.where(matched < 0, 0, np.take_along_axis(table.col_sums, table.cols[matched], axis=1))
    per_class = 2 * _at(table.counts, matched) / np.maximum(sizes + clusters, 1)
    return (per_class * sizes).sum(axis=1) / table.n, per_class.sum(axis=1) / np.count_nonzero(sizes, axis=1)


def _at(counts: IntArray, matched: IntArray) -> IntArray:
    return np.where(matched < 0, 0, np.take_along_axis(counts, matched, axis=1))


def _weights(table: Contingency) -> FloatArray:
    """Return images per cell plus its share in F1, which over a whole matching stays below one image."""
    sizes = table.row_sums
    tie = sizes / table.n + 1e-3 / np.count_nonzero(sizes, axis=1)[:, None]
    both = sizes.take(table.rows, axis=1)
    both += table.col_sums.take(table.cols, axis=1)
    weights: FloatArray = tie.take(table.rows, axis=1)
    weights /= np.maximum(both, 1, out=both)
    weights += 1
    weights *= table.counts
    return weights


def _largest(table: Contingency, single: IntArray) -> IntArray:
    """Return the largest of the cells in `single` for every row, -1 if it has none; shape (tables, rows)."""
    best = np.full(table.row_sums.shape, -1, np.int64)
    starts = np.flatnonzero(np.diff(table.rows[single], prepend=-1))
    for group in np.split(single, starts[1:]) if single.size else []:
        largest = table.counts[:, group].argmax(axis=1) if group.size > 1 else 0
        best[:, table.rows[group[0]]] = group[largest]
    return best


def _dense(rows: IntArray, cols: IntArray, weights: FloatArray, shape: tuple[int, int]) -> IntArray:
    """Return the position in `rows` of each row's matched cell, or -1, shape (tables, rows)."""
    from scipy.optimize import linear_sum_assignment

    position = np.full(shape, -1, np.int64)
    position[rows, cols] = np.arange(rows.size)
    chosen = np.full((len(weights), shape[0]), -1, np.int64)
    matrix = np.zeros(shape)
    for i, weight in enumerate(weights):
        matrix[rows, cols] = weight
        r, c = linear_sum_assignment(matrix, maximize=True)
        chosen[i, r] = position[r, c]
    return chosen


def _sparse(rows: IntArray, cols: IntArray, weights: FloatArray, shape: tuple[int, int]) -> IntArray:
    """Do as `_dense` without the matrix; every row also has a column of its own, for no cluster."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    n_rows, width = shape[0], shape[0] + shape[1]
    rows = np.concatenate([rows, np.arange(n_rows)])
    cols = np.concatenate([cols, shape[1] + np.arange(n_rows)])
    position = np.concatenate([np.arange(rows.size - n_rows), np.full(n_rows, -1)])
    order = np.lexsort((cols, rows))
    key = (rows * width + cols)[order]
    chosen = np.full((len(weights), n_rows), -1, np.int64)
    for i, weight in enumerate(weights):
        # weights must not be 0, which would mean no edge; adding 1 to all changes every matching alike
        values = 1 + np.concatenate([weight, np.zeros(n_rows)])
        graph = csr_array((values[order], (rows[order], cols[order])), shape=(n_rows, width))
        r, c = min_weight_full_bipartite_matching(graph, maximize=True)
        chosen[i, r] = position[order][np.searchsorted(key, r.astype(np.int64) * width + c)]
    return chosen
