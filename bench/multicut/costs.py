"""Join probabilities to costs; what costs must be; and the objective.

A cost is the log-odds of a join: positive favours a join, negative a cut. The objective of a
clustering is the sum of the costs over all pairs in one cluster, to be maximised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import DataError

EPSILON = 1e-6
"""Join probabilities are clipped to [EPSILON, 1 - EPSILON] (Presberger et al., as the organoid code does)."""
ROUNDING = 1e-5
"""Difference between the two directions that counts as rounding, relative to the largest cost."""
TILE = 512


def costs_from_probabilities(
    probabilities: ArrayLike,
    *,
    directions: Literal["mean", "min"] = "mean",
    prior: float | None = None,
) -> NDArray[Any]:
    """Turn join probabilities into costs log(p / (1 - p)), natural logarithm.

    Parameters
    ----------
    probabilities : float array, shape (n, n), values in [0, 1]
        Probability that i and j show the same class; the two directions may differ.
    directions : how p[i, j] and p[j, i] become one number.
    prior : share of joins among all pairs, in (0, 1), for a pair model trained on as many joins as
        cuts: shifts every cost by log(prior / (1 - prior)), so -2.3 for 0.09. None: no shift.

    Returns
    -------
    float32 or float64, shape (n, n), symmetric, diagonal 0.

    Raises
    ------
    DataError : not square, empty, NaN, or outside [0, 1].
    """
    p = _square(probabilities, "join probabilities")
    for rows in _row_blocks(p):
        if not np.isfinite(p[rows]).all() or p[rows].min() < 0 or p[rows].max() > 1:
            at = _first(~((p[rows] >= 0) & (p[rows] <= 1)), rows.start)
            raise DataError(f"join probability at row {at[0]}, column {at[1]} is {p[at]}, not within [0, 1]")
    costs: NDArray[Any] = np.minimum(p, p.T) if directions == "min" else (p + p.T) / p.dtype.type(2)
    shift = _prior_shift(prior)
    for rows in _row_blocks(costs):
        q = np.clip(costs[rows].astype(np.float64), EPSILON, 1 - EPSILON)
        costs[rows] = np.log(q / (1 - q)) + shift
    np.fill_diagonal(costs, 0)
    return costs


def log_odds(probabilities: ArrayLike, prior: float | None = None) -> NDArray[np.float64]:
    """Turn the join probabilities of single pairs, shape (m,), into costs, as for a matrix.

    Raises `DataError` for values outside [0, 1].
    """
    p = np.asarray(probabilities, np.float64)
    wrong = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if wrong.size:
        raise DataError(f"join probability {wrong[0]} is {p[wrong[0]]}, not within [0, 1]")
    q = np.clip(p, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(q / (1 - q)) + _prior_shift(prior))


def thresholds_to_shifts(thresholds: Sequence[float]) -> NDArray[np.float64]:
    """Shifts of all costs that make each threshold the probability at which a pair is indifferent.

    Clustering `costs + shift` for every shift is the threshold sweep; threshold 0.5 shifts nothing.
    """
    t = np.asarray(thresholds, np.float64)
    if not ((t > 0) & (t < 1)).all():
        raise DataError(f"thresholds {list(thresholds)} must all be between 0 and 1, both excluded")
    return np.log((1 - t) / t)


def check_matrix(costs: ArrayLike, *, symmetrise: bool = False) -> NDArray[Any]:
    """Return costs as a C-contiguous float32 or float64 (n, n) array; copies only if it must.

    With `symmetrise` the mean of both directions is taken; without, directions that differ by more
    than rounding (1e-5 of the largest cost) are an error. The diagonal is never used, but must be finite.

    Raises
    ------
    DataError : not square, empty, not numbers, NaN, infinite, or asymmetric.
    """
    c = np.ascontiguousarray(_square(costs, "costs"))
    largest = 0.0
    for rows in _row_blocks(c):
        top = float(np.abs(c[rows]).max())
        largest = max(largest, top)
        if not np.isfinite(top):
            at = _first(~np.isfinite(c[rows]), rows.start)
            raise DataError(f"cost at row {at[0]}, column {at[1]} is {c[at]}; costs must be finite (clip p)")
    if symmetrise:
        return np.asarray((c + c.T) / c.dtype.type(2))
    for rows, columns in ((r, s) for r in _row_blocks(c) for s in _row_blocks(c) if s.start >= r.start):
        wrong = np.abs(c[rows, columns] - c[columns, rows].T) > ROUNDING * largest
        if wrong.any():
            i, j = _first(wrong, rows.start, columns.start)
            raise DataError(
                f"costs are not symmetric: {c[i, j]} at row {i}, column {j} but {c[j, i]} the other way; "
                "average both directions or ask to symmetrise"
            )
    return c


def check_edges(
    n: int, i: ArrayLike, j: ArrayLike, cost: ArrayLike
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[Any]]:
    """Return an edge list as int32, int32 and float32 or float64 arrays of one length.

    Raises
    ------
    DataError : lengths differ, an end outside [0, n), n not in [1, 2^31), NaN or infinite cost.
    """
    u, v, c = np.asarray(i), np.asarray(j), np.asarray(cost)
    if not 0 < n < 2**31:
        raise DataError(f"a graph needs between 1 and 2^31 - 1 nodes, not {n}")
    if not (u.ndim == v.ndim == c.ndim == 1 and u.size == v.size == c.size):
        raise DataError(
            f"edge list i {u.shape}, j {v.shape}, cost {c.shape} must be three arrays of one length"
        )
    for name, end in (("i", u), ("j", v)):
        if end.size and end.dtype.kind not in "iu":
            raise DataError(
                f"edge ends {name} are {end.dtype}, but must be integers: numbers of nodes from 0"
            )
        if end.size and (end.min() < 0 or end.max() >= n):
            at = int(np.argmax((end < 0) | (end >= n)))
            raise DataError(f"edge {at} ends at node {end[at]} ({name}), but the nodes are 0 to {n - 1}")
    c = _floats(c, "costs")
    if not np.isfinite(c).all():
        at = int(np.argmin(np.isfinite(c)))
        raise DataError(f"the cost of edge {at} is {c[at]}; costs must be finite (clip p)")
    return (
        np.ascontiguousarray(u, np.int32),
        np.ascontiguousarray(v, np.int32),
        np.ascontiguousarray(c),
    )


def objective_dense(costs: NDArray[Any], labels: NDArray[Any]) -> float:
    """Sum of costs over the unordered pairs within a cluster, in float64.

    `costs` has shape (n, n) and is symmetric; its diagonal does not count. `labels` has shape (n,).
    """
    order = np.argsort(labels, kind="stable")
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    total = 0.0
    for nodes in np.split(order, ends):
        block = costs[np.ix_(nodes, nodes)]
        total += float(block.sum(dtype=np.float64)) - float(np.trace(block, dtype=np.float64))
    return total / 2


def objective_sparse(i: NDArray[Any], j: NDArray[Any], cost: NDArray[Any], labels: NDArray[Any]) -> float:
    """Sum of costs over the edges within a cluster, in float64; self loops do not count."""
    return float(cost[(labels[i] == labels[j]) & (i != j)].sum(dtype=np.float64))


def renumber(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Number clusters 0, 1, ... by first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[inverse]


def _square(matrix: ArrayLike, what: str) -> NDArray[Any]:
    m = np.asarray(matrix)
    if m.ndim != 2 or m.shape[0] != m.shape[1]:
        raise DataError(f"{what} of shape {m.shape} are not a square matrix, one row and column per image")
    if not m.size:
        raise DataError(f"{what} are empty: there is no image to cluster")
    return _floats(m, what)


def _floats(values: NDArray[Any], what: str) -> NDArray[Any]:
    if values.dtype.kind not in "fiub":
        raise DataError(f"{what} are {values.dtype}, but must be real numbers")
    keep = values.dtype in (np.dtype(np.float32), np.dtype(np.float64))
    return values if keep else values.astype(np.float64)


def _prior_shift(prior: float | None) -> float:
    if prior is None:
        return 0.0
    if not 0 < prior < 1:
        raise DataError(
            f"prior {prior} must be between 0 and 1, both excluded: the share of joins among pairs"
        )
    return float(np.log(prior / (1 - prior)))


def _row_blocks(matrix: NDArray[Any]) -> Iterator[slice]:
    n = matrix.shape[0]
    return (slice(start, min(start + TILE, n)) for start in range(0, n, TILE))


def _first(wrong: NDArray[np.bool_], row: int, column: int = 0) -> tuple[int, int]:
    at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return int(at[0]) + row, int(at[1]) + column
