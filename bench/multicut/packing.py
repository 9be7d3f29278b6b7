"""Iterative packing of conflicted cycles: a first lower bound on the disagreement, in near-linear time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.multicut.graph import Graph
from bench.multicut.problem import CutProblem

LENGTHS = (2, 3, 4, 6, 8)
CHUNK = 20_000
TINY = 1e-9


class Cycles(NamedTuple):
    """Conflicted cycles: a negative pair and a path of positive edges between its ends.

    Every partition pays for at least one member of each cycle. So weights that sum, over the cycles
    through any one edge or pair, to no more than its |cost| add up to a lower bound.
    """

    u: NDArray[np.int32]
    """(k,) smaller end of the negative pair."""
    v: NDArray[np.int32]
    start: NDArray[np.int64]
    """(k + 1,) the path of cycle c is `edge[start[c]:start[c + 1]]`, from u to v."""
    edge: NDArray[np.int32]
    """Positions in the problem's positive edges."""
    weight: NDArray[np.float64]
    """(k,) >= 0."""

    @property
    def bound(self) -> float:
        """The lower bound on the disagreement that the cycles prove."""
        return float(self.weight.sum())

    def take(self, index: NDArray[Any]) -> Cycles:
        """Return the cycles at `index`, an index or boolean array."""
        index = np.arange(len(self.u))[index]
        length = np.diff(self.start)[index]
        start = np.concatenate([[0], np.cumsum(length)])
        at = np.repeat(self.start[:-1][index] - start[:-1], length) + np.arange(start[-1])
        return Cycles(self.u[index], self.v[index], start, self.edge[at], self.weight[index])


def no_cycles() -> Cycles:
    """Return zero cycles."""
    none = np.empty(0, np.int32)
    return Cycles(none, none, np.zeros(1, np.int64), none, np.empty(0))


def join(parts: list[Cycles]) -> Cycles:
    """Concatenate lists of cycles."""
    starts, total = [np.zeros(1, np.int64)], 0
    for part in parts:
        starts.append(part.start[1:] + total)
        total += int(part.start[-1])
    return Cycles(
        np.concatenate([p.u for p in parts]),
        np.concatenate([p.v for p in parts]),
        np.concatenate(starts),
        np.concatenate([p.edge for p in parts]),
        np.concatenate([p.weight for p in parts]),
    )


def pack(
    problem: CutProblem, enough: Callable[[float], bool] = lambda _: False
) -> tuple[Cycles, NDArray[np.float64]]:
    """Pack conflicted cycles of growing length until no more fit or `enough(bound so far)`.

    Returns
    -------
    cycles : with weights that respect every |cost|
    left : (m,) float64, the part of every positive edge's cost that no cycle uses

    Notes
    -----
    Source: Lange, Karrenbauer, Andres, Partial Optimality and Fast Lower Bounds for Weighted
    Correlation Clustering, ICML 2018, algorithm 1.
    """
    left = problem.cost.copy()
    head, following = np.full(problem.n, -1, np.int64), np.empty(0, np.int64)
    parts, count, bound = [no_cycles()], 0, 0.0
    pairs = np.empty(0, np.int32)
    weights = np.empty(0)
    for length in LENGTHS:
        for first in range(0, problem.n, CHUNK):
            if enough(bound):
                return join(parts), left
            last = min(first + CHUNK, problem.n)
            new = Cycles(
                *_pack_from(problem.graph, left, length, first, last, head, following, pairs, weights)
            )
            parts.append(new)
            following = np.concatenate([following, np.empty(len(new.u), np.int64)])
            pairs, weights = np.concatenate([pairs, new.v]), np.concatenate([weights, new.weight])
            _link(new.u, count, head, following)
            count += len(new.u)
            bound += new.bound
    return join(parts), left


@njit(cache=True)
def grown(array: Any, size: int) -> Any:
    """Return `array` with room for `size` entries, at least doubled when it grows."""
    if size <= array.size:
        return array
    more = np.empty(max(size, 2 * array.size), array.dtype)
    more[: array.size] = array
    return more


@njit(cache=True)
def _link(u: Any, count: int, head: Any, following: Any) -> None:
    """Prepend cycle `count + k` to the list of cycles whose pair starts at u[k]."""
    for k in range(u.size):
        following[count + k] = head[u[k]]
        head[u[k]] = count + k


@njit(cache=True)
def _pack_from(
    graph: Graph,
    left: Any,
    length: int,
    first: int,
    last: int,
    head: Any,
    following: Any,
    pairs: Any,
    weights: Any,
) -> tuple[Any, Any, Any, Any, Any]:
    """Pack cycles with paths of up to `length` edges from the nodes in [first, last)."""
    dense = graph.dense
    room = np.zeros(graph.n)  # room[y]: what is left of |cost| of the pair (x, y), y > x
    known = np.zeros(graph.n, np.bool_)
    seen = np.full(graph.n, -1, np.int64)
    by_edge, by_node = np.empty(graph.n, np.int64), np.empty(graph.n, np.int64)
    queue, depth = np.empty(graph.n, np.int64), np.empty(graph.n, np.int64)
    u, v, start = np.empty(256, np.int32), np.empty(256, np.int32), np.zeros(257, np.int64)
    edge, weight = np.empty(1024, np.int32), np.empty(256, np.float64)
    k = 0
    stamp = 0
    for x in range(first, last):
        if not dense:
            if graph.row[x] == graph.row[x + 1]:
                continue
            for p in range(graph.row[x], graph.row[x + 1]):
                room[graph.other[p]] = -graph.pair_cost[p]
        # A dense row is read only where the search arrives; what earlier lengths used is taken off at once.
        touched = 0
        c = head[x]
        while c >= 0:
            y = pairs[c]
            if dense and not known[y]:
                known[y] = True
                room[y] = -graph.matrix[x, y]
            room[y] -= weights[c]
            touched += 1
            c = following[c]
        again = True
        while again:
            again = False
            blocked = False
            stamp += 1
            seen[x] = stamp
            queue[0], depth[x] = x, 0
            by_edge[x] = -1
            size, at = 1, 0
            while at < size:
                a = queue[at]
                at += 1
                for h in range(graph.start[a], graph.start[a + 1]):
                    e, b = graph.edge[h], graph.neighbour[h]
                    if seen[b] == stamp or left[e] <= TINY:
                        continue
                    seen[b] = stamp
                    by_edge[b], by_node[b] = e, a
                    depth[b] = depth[a] + 1
                    if depth[b] < length:
                        queue[size] = b
                        size += 1
                    if b <= x:
                        continue
                    free = -np.float64(graph.matrix[x, b]) if dense and not known[b] else room[b]
                    if free <= TINY:
                        continue
                    w, y, hops = free, b, 0
                    while y != x:
                        w = min(w, left[by_edge[y]])
                        y = by_node[y]
                        hops += 1
                    if w <= TINY:
                        blocked = True  # an edge on the way here was used up; search again without it
                        continue
                    u, v, weight = grown(u, k + 1), grown(v, k + 1), grown(weight, k + 1)
                    start = grown(start, k + 2)
                    u[k], v[k], weight[k] = x, b, w
                    start[k + 1] = start[k] + hops
                    edge = grown(edge, start[k + 1])
                    y, spot = b, start[k + 1]
                    while y != x:
                        spot -= 1
                        edge[spot] = by_edge[y]
                        left[by_edge[y]] -= w
                        y = by_node[y]
                    room[b] = free - w
                    known[b] = True
                    k += 1
                    again = True
            again = again and blocked
        if dense:
            c = head[x]
            while c >= 0:
                known[pairs[c]] = False
                c = following[c]
            for c in range(k - 1, -1, -1):
                if u[c] != x:
                    break
                known[v[c]] = False
        else:
            for p in range(graph.row[x], graph.row[x + 1]):
                room[graph.other[p]] = 0
    return u[:k].copy(), v[:k].copy(), start[: k + 1].copy(), edge[: start[k]].copy(), weight[:k].copy()
