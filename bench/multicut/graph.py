"""The arrays of a multicut instance that compiled code reads, and the kernels that all steps share."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Graph(NamedTuple):
    """Positive edges in full; negative pairs in a matrix if `dense`, else in rows.

    What is not in use is empty: compiled code takes one type for both forms. Above it the two forms are
    the classes of `problem`.
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
    dense: bool
    matrix: NDArray[Any]
    """(n, n) costs of a complete graph."""
    row: NDArray[np.int64]
    """(n + 1,) the negative pairs (x, y) of a sparse graph are at `row[x]:row[x + 1]`, by ascending y."""
    other: NDArray[np.int32]
    pair_cost: NDArray[np.float64]
    """< 0."""


@njit(cache=True)
def disagreement(graph: Graph, labels: NDArray[np.int64]) -> float:
    """Sum of |cost| over the positive edges that `labels` (n,) cut and the negative pairs they join."""
    total = 0.0
    for e in range(graph.u.size):
        if labels[graph.u[e]] != labels[graph.v[e]]:
            total += graph.cost[e]
    if not graph.dense:
        for x in range(graph.n):
            for k in range(graph.row[x], graph.row[x + 1]):
                if x < graph.other[k] and labels[x] == labels[graph.other[k]]:
                    total -= graph.pair_cost[k]
        return total
    order = np.argsort(labels, kind="mergesort")
    for a in range(graph.n):
        x = order[a]
        for b in range(a + 1, graph.n):
            y = order[b]
            if labels[x] != labels[y]:
                break
            total -= min(np.float64(graph.matrix[x, y]), 0.0)
    return total


@njit(cache=True)
def pair_cost(graph: Graph, x: int, y: int) -> float:
    """Cost of the pair (x, y) if it is negative or the graph is complete, else 0."""
    if graph.dense:
        return np.float64(graph.matrix[x, y])
    low, high = graph.row[x], graph.row[x + 1]
    while low < high:
        middle = (low + high) // 2
        if graph.other[middle] < y:
            low = middle + 1
        else:
            high = middle
    return graph.pair_cost[low] if low < graph.row[x + 1] and graph.other[low] == y else 0.0


@njit(cache=True)
def pair_costs(graph: Graph, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """`pair_cost` of every (x[k], y[k])."""
    result = np.empty(x.size)
    for k in range(x.size):
        result[k] = pair_cost(graph, x[k], y[k])
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
def positive_pairs(costs: Any) -> tuple[Any, Any, Any]:
    """List the positive pairs x < y of a matrix and their costs, in lexicographic order."""
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
def incidence(n: int, u: Any, v: Any) -> tuple[Any, Any, Any]:
    """Return `Graph.start`, `neighbour` and `edge` of edges (u, v)."""
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
