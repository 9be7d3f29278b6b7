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
    enters the matrix. So each image alone, or much noise, costs no more than a square matrix.
    """
    alone = np.bincount(table.cols)[table.cols] == 1
    shared, single = np.flatnonzero(~alone), np.flatnonzero(alone)
    rows_alone = np.unique(table.rows[single])
    best = _largest(table, single)
    cells = np.concatenate([np.broadcast_to(shared, (len(best), shared.size)), best], axis=1)
    rows = np.concatenate([table.rows[shared], rows_alone])
    names, cols = np.unique(table.cols[shared], return_inverse=True)
    cols = np.concatenate([cols, names.size + np.arange(rows_alone.size)])
    weights = np.take_along_axis(_weights(table), cells, axis=1)
    n_rows, n_cols = int(table.rows[-1]) + 1, names.size + rows_alone.size
    solve = _dense if n_rows * n_cols <= _DENSE_ENTRIES else _sparse
    chosen = solve(rows.astype(np.int64), cols.astype(np.int64), weights, n_rows, n_cols)
    return np.where(chosen < 0, -1, np.take_along_axis(cells, np.maximum(chosen, 0), axis=1))


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
    """Return for each row that has cells in `single` the largest of them, shape (tables, those rows)."""
    starts = np.flatnonzero(np.diff(table.rows[single], prepend=-1))
    best = np.empty((len(table.counts), starts.size), np.int64)
    for k, group in enumerate(np.split(single, starts[1:]) if starts.size else []):
        best[:, k] = group[table.counts[:, group].argmax(axis=1)] if group.size > 1 else group[0]
    return best


def _dense(rows: IntArray, cols: IntArray, weights: FloatArray, n_rows: int, n_cols: int) -> IntArray:
    """Return the position in `rows` of each row's matched cell, or -1, shape (tables, n_rows)."""
    from scipy.optimize import linear_sum_assignment

    position = np.full((n_rows, n_cols), -1, np.int64)
    position[rows, cols] = np.arange(rows.size)
    chosen = np.full((len(weights), n_rows), -1, np.int64)
    matrix = np.zeros((n_rows, n_cols))
    for i, weight in enumerate(weights):
        matrix[rows, cols] = weight
        r, c = linear_sum_assignment(matrix, maximize=True)
        chosen[i, r] = position[r, c]
    return chosen


def _sparse(rows: IntArray, cols: IntArray, weights: FloatArray, n_rows: int, n_cols: int) -> IntArray:
    """Do as `_dense` without the matrix; every row also has a column of its own, for no cluster."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    own = np.arange(n_rows)
    all_rows, all_cols = np.concatenate([rows, own]), np.concatenate([cols, n_cols + own])
    position = np.concatenate([np.arange(rows.size), np.full(n_rows, -1)])
    order = np.lexsort((all_cols, all_rows))
    chosen = np.full((len(weights), n_rows), -1, np.int64)
    for i, weight in enumerate(weights):
        # weights must not be 0, which would mean no edge; adding 1 to all changes every matching alike
        values = 1 + np.concatenate([weight, np.zeros(n_rows)])
        shape = (n_rows, n_cols + n_rows)
        graph = csr_array((values[order], (all_rows[order], all_cols[order])), shape=shape)
        r, c = min_weight_full_bipartite_matching(graph, maximize=True)
        key = all_rows[order] * shape[1] + all_cols[order]
        found = np.searchsorted(key, r.astype(np.int64) * shape[1] + c)
        chosen[i, r] = position[order][found]
    return chosen
