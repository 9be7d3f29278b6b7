"""A multicut instance as the exact solver sees it: positive edges as lists, negative pairs on demand."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Problem(NamedTuple):
    """Positive edges in full, negative pairs in a matrix or in rows.

    A partition's *disagreement* is the sum of |cost| over positive edges that it cuts and negative
    pairs that it joins. Objective = `positive` - disagreement, so the least disagreement is sought.
    """

    n: int
    u: NDArray[np.int32]
    """(m,) smaller end of every positive edge; edges in lexicographic order."""
    v: NDArray[np.int32]
    cost: NDArray[np.float64]
    """(m,) > 0."""
    start: NDArray[np.int64]
    """(n + 1,) the edges at node x are `edge[start[x]:start[x + 1]]`, their other ends `neighbour[...]`."""
    neighbour: NDArray[np.int32]
    edge: NDArray[np.int32]
    matrix: NDArray[Any]
    """(n, n) costs of a complete graph, or (0, 0)."""
    row: NDArray[np.int64]
    """(n + 1,) sparse graphs: the negative pairs (x, y) are at `row[x]:row[x + 1]`, by ascending y."""
    other: NDArray[np.int32]
    pair_cost: NDArray[np.float64]
    """< 0."""

    @property
    def positive(self) -> float:
        """Sum of the positive costs: the objective nobody can beat."""
        return float(self.cost.sum())


def from_dense(costs: NDArray[Any]) -> Problem:
    """Read a symmetric (n, n) float32 or float64 matrix without copying it; its diagonal is ignored."""
    costs = np.ascontiguousarray(costs)
    u, v, cost = _positive_pairs(costs)
    nothing = np.zeros(len(costs) + 1, np.int64), np.empty(0, np.int32), np.empty(0)
    return Problem(len(costs), u, v, cost, *_incidence(len(costs), u, v), costs, *nothing)


def from_sparse(n: int, i: NDArray[Any], j: NDArray[Any], cost: NDArray[Any]) -> Problem:
    """Read edges (i, j) with costs, shape (m,) each; repeated edges add up, self loops do not count."""
    low, high = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
    key, value = (low * n + high)[low < high], np.asarray(cost, np.float64)[low < high]
    if not (np.diff(key) > 0).all():
        key, where = np.unique(key, return_inverse=True)
        value = np.bincount(where, value, len(key)) if len(key) else np.empty(0)
    u, v = (key // max(n, 1)).astype(np.int32), (key % max(n, 1)).astype(np.int32)
    plus, minus = value > 0, value < 0
    minus_value = value[minus]
    row, other, pair = _incidence(n, u[minus], v[minus])
    up, vp = u[plus], v[plus]
    no_matrix = np.empty((0, 0))
    return Problem(n, up, vp, value[plus], *_incidence(n, up, vp), no_matrix, row, other, minus_value[pair])


@njit(cache=True)
def disagreement(problem: Problem, labels: NDArray[np.int64]) -> float:
    """Sum of |cost| over the positive edges that `labels` (n,) cut and the negative pairs they join."""
    total = 0.0
    for e in range(problem.u.size):
        if labels[problem.u[e]] != labels[problem.v[e]]:
            total += problem.cost[e]
    if problem.matrix.shape[0] == 0:
        for x in range(problem.n):
            for k in range(problem.row[x], problem.row[x + 1]):
                if x < problem.other[k] and labels[x] == labels[problem.other[k]]:
                    total -= problem.pair_cost[k]
        return total
    order = np.argsort(labels, kind="mergesort")
    for a in range(problem.n):
        x = order[a]
        for b in range(a + 1, problem.n):
            y = order[b]
            if labels[x] != labels[y]:
                break
            total -= min(np.float64(problem.matrix[x, y]), 0.0)
    return total


@njit(cache=True)
def pair_cost(problem: Problem, x: int, y: int) -> float:
    """Cost of the pair (x, y) if it is negative or the graph is complete, else 0."""
    if problem.matrix.shape[0] > 0:
        return np.float64(problem.matrix[x, y])
    low, high = problem.row[x], problem.row[x + 1]
    while low < high:
        middle = (low + high) // 2
        if problem.other[middle] < y:
            low = middle + 1
        else:
            high = middle
    return problem.pair_cost[low] if low < problem.row[x + 1] and problem.other[low] == y else 0.0


@njit(cache=True)
def pair_costs(problem: Problem, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """`pair_cost` of every (x[k], y[k])."""
    result = np.empty(x.size)
    for k in range(x.size):
        result[k] = pair_cost(problem, x[k], y[k])
    return result


@njit(cache=True)
def components(
    n: int, u: NDArray[np.int32], v: NDArray[np.int32], use: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Connected component of each of `n` nodes over the edges with `use`, numbered by first appearance."""
    parent = np.arange(n)
    for e in range(u.size):
        if use[e]:
            a, b = u[e], v[e]
            while parent[a] != a:
                parent[a] = parent[parent[a]]
                a = parent[a]
            while parent[b] != b:
                parent[b] = parent[parent[b]]
                b = parent[b]
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
    labels = np.empty(n, np.int64)
    count = 0
    for x in range(n):
        if parent[x] == x:
            labels[x] = count
            count += 1
        else:
            labels[x] = labels[parent[x]]
    return labels


@njit(cache=True)
def _positive_pairs(costs: Any) -> tuple[Any, Any, Any]:
    n = costs.shape[0]
    count = 0
    for x in range(n):
        for y in range(x + 1, n):
            count += costs[x, y] > 0
    u, v, cost = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.float64)
    at = 0
    for x in range(n):
        for y in range(x + 1, n):
            if costs[x, y] > 0:
                u[at], v[at], cost[at] = x, y, costs[x, y]
                at += 1
    return u, v, cost


@njit(cache=True)
def _incidence(n: int, u: Any, v: Any) -> tuple[Any, Any, Any]:
    start = np.zeros(n + 1, np.int64)
    for e in range(u.size):
        start[u[e] + 1] += 1
        start[v[e] + 1] += 1
    for x in range(n):
        start[x + 1] += start[x]
    fill = start[:-1].copy()
    neighbour, edge = np.empty(2 * u.size, np.int32), np.empty(2 * u.size, np.int32)
    for e in range(u.size):
        a, b = u[e], v[e]
        neighbour[fill[a]], edge[fill[a]] = b, e
        fill[a] += 1
        neighbour[fill[b]], edge[fill[b]] = a, e
        fill[b] += 1
    return start, neighbour, edge
