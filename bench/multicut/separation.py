"""Violated conflicted cycles at a point: bounded shortest paths over the positive edges."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.multicut.graph import Graph
from bench.multicut.packing import Cycles, grown
from bench.multicut.problem import CutProblem

HOP = 1e-3
"""Added to every edge's length, so that of equally short paths the one with fewest edges is found."""
VIOLATED = 1e-6
UNCHANGED = 1e-9
PER_SOURCE = 16
PER_EDGE = 4


class Point(NamedTuple):
    """Values of the relaxation: how much each positive edge is cut and each negative pair joined."""

    edge: NDArray[np.float64]
    """(m,) in [0, 1]."""
    row: NDArray[np.int64]
    """(n + 1,) the pairs (x, y), y > x, that have a value are at `row[x]:row[x + 1]`; all others are 0."""
    other: NDArray[np.int32]
    pair: NDArray[np.float64]


def separate(
    problem: CutProblem, point: Point, labels: NDArray[np.int64], share: float, least: float = VIOLATED
) -> Cycles:
    """Find conflicted cycles whose values sum to less than 1 at `share * point + (1 - share) * labels`.

    Parameters
    ----------
    labels : (n,) a partition, seen as a point with values 0 and 1
    share : in (0, 1]
    least : violations up to this one do not count

    Returns
    -------
    Cycles with their violation as weight, most violated first; at most PER_SOURCE for each smaller
    end of a pair, at most PER_EDGE through one positive edge.

    Notes
    -----
    One Dijkstra search of radius 1 per node. Where values are integers the search is exact: empty
    means that no cycle is violated. Elsewhere a path of many edges may hide a slightly shorter one.
    """
    return Separation(problem, share, least).find(point, labels)


class Separation:
    """`separate` again and again, searching only where a cycle can have become violated.

    A value that rises violates nothing. So where nothing was found, the search is repeated only when a
    pair there, or an edge within reach, has a smaller value than before.
    """

    def __init__(
        self, problem: CutProblem, share: float, least: float = VIOLATED, per_edge: int = PER_EDGE
    ) -> None:
        self._problem = problem
        self._share = share
        self._least, self._per_edge = least, per_edge
        self._labels = np.empty(0, np.int64)
        self._pairs = np.empty(0, np.int64)
        self._pair = np.empty(0)
        self._edge = np.full(len(problem.u), np.inf)
        self._look = np.ones(problem.n, np.bool_)

    def find(self, point: Point, labels: NDArray[np.int64]) -> Cycles:
        """Return what `separate` does."""
        problem, share = self._problem, self._share
        apart = labels[problem.u] != labels[problem.v]
        # Solvers return values a little below 0, and shortest paths must not gain by going in circles.
        edge = share * np.maximum(point.edge, 0.0) + (1 - share) * apart
        source = np.repeat(np.arange(problem.n), np.diff(point.row))
        pairs = source * problem.n + point.other
        if share < 1 and not np.array_equal(labels, self._labels):
            self._look[:] = True
        else:
            fallen = point.pair[np.searchsorted(pairs, self._pairs)] < self._pair - UNCHANGED
            self._look[self._pairs[fallen] // problem.n] = True
            _mark_near(problem.graph, edge, edge < self._edge - UNCHANGED, self._look)
        self._labels, self._pairs, self._pair, self._edge = labels, pairs, point.pair, edge
        found = Cycles(*_search(problem.graph, point, edge, labels, share, self._least, self._look))
        order = np.argsort(-found.weight, kind="stable")
        return found.take(order[_thin(found, order, np.zeros(len(problem.u), np.int32), self._per_edge)])


@njit(cache=True)
def _thin(cycles: Any, order: Any, used: Any, per_edge: int) -> Any:
    keep = np.zeros(order.size, np.bool_)
    for k in range(order.size):
        c = order[k]
        full = False
        for a in range(cycles.start[c], cycles.start[c + 1]):
            full |= used[cycles.edge[a]] >= per_edge
        if not full:
            keep[k] = True
            for a in range(cycles.start[c], cycles.start[c + 1]):
                used[cycles.edge[a]] += 1
    return keep


@njit(cache=True)
def _mark_near(graph: Graph, length: Any, chosen: Any, near: Any) -> None:
    """Set `near` for all nodes that reach an end of a chosen edge within distance 1."""
    distance = np.full(graph.n, np.inf)
    key, node = np.empty(64), np.empty(64, np.int64)
    size = 0
    for e in range(chosen.size):
        if chosen[e]:
            for x in (graph.u[e], graph.v[e]):
                if distance[x] > 0:
                    distance[x] = 0
                    key, node = grown(key, size + 1), grown(node, size + 1)
                    key[size], node[size] = 0.0, x
                    size += 1
    while size > 0:
        d, a = key[0], node[0]
        size -= 1
        _pop(key, node, size)
        if d > distance[a]:
            continue
        near[a] = True
        for h in range(graph.start[a], graph.start[a + 1]):
            b, longer = graph.neighbour[h], d + length[graph.edge[h]]
            if longer < distance[b] and longer < 1:
                distance[b] = longer
                key, node = grown(key, size + 1), grown(node, size + 1)
                _push(key, node, size, longer, b)
                size += 1


@njit(cache=True)
def _search(
    graph: Graph, point: Point, length: Any, labels: Any, share: float, least: float, look: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """Search from the nodes marked in `look`, and clear the mark where nothing is found."""
    n = graph.n
    dense = graph.dense
    negative, joined = np.zeros(n, np.bool_), np.zeros(n)
    distance, by_edge, by_node = np.full(n, np.inf), np.empty(n, np.int64), np.empty(n, np.int64)
    true = np.zeros(n)
    heap_key, heap_node = np.empty(64), np.empty(64, np.int64)
    reached, final = np.empty(n, np.int64), np.empty(n, np.bool_)
    who, gap = np.empty(n, np.int64), np.empty(n)
    u, v, start = np.empty(256, np.int32), np.empty(256, np.int32), np.zeros(257, np.int64)
    edge, weight = np.empty(1024, np.int32), np.empty(256, np.float64)
    k = 0
    for x in range(n):
        if not look[x]:
            continue
        if not dense:
            if graph.row[x] == graph.row[x + 1]:
                look[x] = False
                continue
            for p in range(graph.row[x], graph.row[x + 1]):
                negative[graph.other[p]] = True
        for p in range(point.row[x], point.row[x + 1]):
            joined[point.other[p]] = point.pair[p]
        distance[x] = true[x] = 0
        final[x] = False
        reached[0], touched = x, 1
        heap_key[0], heap_node[0], size = 0.0, x, 1
        violated = 0
        while size > 0:
            a = heap_node[0]
            size -= 1
            _pop(heap_key, heap_node, size)
            if final[a]:
                continue
            final[a] = True
            if a > x and ((graph.matrix[x, a] < 0) if dense else negative[a]):
                missing = 1 - true[a] - share * joined[a] - (1 - share) * (labels[x] == labels[a])
                if missing > least:
                    who[violated], gap[violated] = a, missing
                    violated += 1
            for h in range(graph.start[a], graph.start[a + 1]):
                b = graph.neighbour[h]
                z = length[graph.edge[h]]
                d = distance[a] + z + HOP
                if d < distance[b] and true[a] + z < 1 - least:
                    if distance[b] == np.inf:
                        reached[touched] = b
                        touched += 1
                        final[b] = False
                    distance[b], by_edge[b], by_node[b] = d, graph.edge[h], a
                    true[b] = true[a] + z
                    heap_key, heap_node = grown(heap_key, size + 1), grown(heap_node, size + 1)
                    _push(heap_key, heap_node, size, d, b)
                    size += 1
        look[x] = violated > 0
        take = np.argsort(-gap[:violated], kind="mergesort")[:PER_SOURCE]
        for t in take:
            y, hops = who[t], 0
            while y != x:
                y = by_node[y]
                hops += 1
            u, v, weight = grown(u, k + 1), grown(v, k + 1), grown(weight, k + 1)
            start = grown(start, k + 2)
            start[k + 1] = start[k] + hops
            edge = grown(edge, start[k + 1])
            u[k], v[k], weight[k] = x, who[t], gap[t]
            y, spot = who[t], start[k + 1]
            while y != x:
                spot -= 1
                edge[spot] = by_edge[y]
                y = by_node[y]
            k += 1
        for t in range(touched):
            distance[reached[t]] = np.inf
        for p in range(point.row[x], point.row[x + 1]):
            joined[point.other[p]] = 0
        if not dense:
            for p in range(graph.row[x], graph.row[x + 1]):
                negative[graph.other[p]] = False
    return u[:k].copy(), v[:k].copy(), start[: k + 1].copy(), edge[: start[k]].copy(), weight[:k].copy()


@njit(cache=True)
def _push(key: Any, node: Any, at: int, k: float, x: int) -> None:
    while at > 0 and key[(at - 1) // 2] > k:
        up = (at - 1) // 2
        key[at], node[at] = key[up], node[up]
        at = up
    key[at], node[at] = k, x


@njit(cache=True)
def _pop(key: Any, node: Any, size: int) -> None:
    """Move the last entry, at `size`, to the free top of the heap."""
    k, x, at = key[size], node[size], 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= k:
            break
        key[at], node[at] = key[child], node[child]
        at = child
    key[at], node[at] = k, x
