"""Decisions that a lower and an upper bound force, and the smaller instances that they leave."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.multicut.graph import Graph, components, pair_cost
from bench.multicut.packing import Cycles
from bench.multicut.problem import CutProblem, Piece


class Part(NamedTuple):
    """An independent piece of an instance; its nodes are groups of the instance's nodes."""

    problem: CutProblem
    nodes: NDArray[np.int64]
    """(k,) the instance's nodes in this part..."""
    place: NDArray[np.int64]
    """(k,) ... and the part's node that each belongs to."""


def fit(problem: CutProblem, cycles: Cycles) -> tuple[Cycles, NDArray[np.float64]]:
    """Lower the weights until no edge and no pair carries more than its |cost|.

    Returns the cycles with a weight left, sorted by pair, and (m,) float64 what they leave of every
    positive edge's cost.
    """
    order = np.lexsort((cycles.v, cycles.u))
    cycles = cycles.take(order[cycles.weight[order] > 0])
    left = problem.cost.copy()
    weight = _fit(problem.graph, cycles, left)
    return cycles._replace(weight=weight).take(weight > 0), left


def probe(
    problem: CutProblem, cycles: Cycles, left: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find by how much the bound of the cycles rises when one positive edge is decided.

    Parameters
    ----------
    cycles, left : from `fit`

    Returns
    -------
    if_cut, if_joined : (m,). Where one of them exceeds the gap between a known partition and the bound, no
        better partition decides so: it decides the other way.

    Notes
    -----
    What the cycles leave of the costs is an instance too, and its optimum adds to the bound. With
    edge ab cut, that instance costs at least what is left of ab, plus min(left aw, left bw) for each
    common neighbour w. With ab joined, it costs min(left aw, left bw) for each w that one end
    attracts and the other repels.
    """
    start, other, used = _incident_pairs(problem.n, cycles)
    if_cut, if_joined = _probe(problem.graph, left, start, other, used)
    return if_cut, if_joined


def split(problem: CutProblem, join: NDArray[np.bool_], cut: NDArray[np.bool_], penalty: float) -> list[Part]:
    """Contract the edges to `join`, remove those to `cut`, and split what is no longer connected.

    The cut edges become pairs that cost `penalty` > 0 when joined. Parts of one node are left out.
    """
    group = components(problem.n, problem.u, problem.v, join)
    size = int(group.max(initial=-1)) + 1
    gu, gv = group[problem.u].astype(np.int32), group[problem.v].astype(np.int32)
    group_piece = components(size, gu, gv, ~cut)
    count = np.bincount(group_piece)
    node_piece = group_piece[group]
    parts = []
    order = np.argsort(node_piece, kind="stable")
    ends = np.cumsum(np.bincount(node_piece))
    rank = np.empty(size, np.int64)
    by_piece = np.argsort(group_piece, kind="stable")
    rank[by_piece] = np.arange(size) - np.repeat(np.cumsum(count) - count, count)
    place = rank[group]
    edge_order = np.argsort(node_piece[problem.u], kind="stable")
    edge_ends = np.cumsum(np.bincount(node_piece[problem.u], minlength=len(count)))
    for k in np.flatnonzero(count > 1):
        nodes = order[(ends[k - 1] if k else 0) : ends[k]]
        edges = edge_order[(edge_ends[k - 1] if k else 0) : edge_ends[k]]
        edges = edges[node_piece[problem.v[edges]] == k]
        piece = Piece(int(count[k]), nodes, place, int(k), node_piece, edges, cut[edges], penalty)
        parts.append(Part(problem.contracted(piece), nodes, place[nodes]))
    return parts


def carry(problem: CutProblem, cycles: Cycles, part: Part) -> Cycles:
    """Map cycles to a part: those whose nodes are all in it, and that are still conflicted."""
    place = np.full(problem.n, -1, np.int64)
    place[part.nodes] = part.place
    longest = int(np.diff(cycles.start).max(initial=0))
    walks, length = _carry(problem.graph, cycles, part.problem.graph, place, longest)
    walks = np.unique(np.column_stack([walks, length]), axis=0)
    walks, length = walks[:, :-1], walks[:, -1]
    steps = np.arange(longest) < length[:, None]
    a, b = walks[:, :-1][steps], walks[:, 1:][steps]
    key = np.minimum(a, b) * part.problem.n + np.maximum(a, b)
    edge = np.searchsorted(part.problem.u.astype(np.int64) * part.problem.n + part.problem.v, key)
    start = np.concatenate([[0], np.cumsum(length)])
    last = walks[np.arange(len(length)), length]
    u, v = walks[:, 0].astype(np.int32), last.astype(np.int32)
    return Cycles(u, v, start, edge.astype(np.int32), np.zeros(len(u)))


@njit(cache=True)
def _carry(graph: Graph, cycles: Any, part: Graph, place: Any, longest: int) -> tuple[Any, Any]:
    walks, length = np.zeros((cycles.u.size, longest + 1), np.int64), np.zeros(cycles.u.size, np.int64)
    count = 0
    for c in range(cycles.u.size):
        x, size = cycles.u[c], 0
        walk = walks[count]
        walk[:] = 0
        walk[0] = place[x]
        good = walk[0] >= 0
        for a in range(cycles.start[c], cycles.start[c + 1]):
            e = cycles.edge[a]
            x = graph.v[e] if graph.u[e] == x else graph.u[e]
            to = place[x]
            if not good or to < 0:
                good = False
                break
            if to != walk[size]:
                good = pair_cost(part, walk[size], to) > 0 and not (walk[: size + 1] == to).any()
                size += 1
                walk[size] = to
        if good and size > 1 and pair_cost(part, walk[0], walk[size]) < 0:
            if walk[0] > walk[size]:
                walk[: size + 1] = walk[: size + 1][::-1].copy()
            length[count] = size
            count += 1
    return walks[:count], length[:count]


@njit(cache=True)
def _fit(graph: Graph, cycles: Any, left: Any) -> Any:
    weight = np.zeros(cycles.u.size)
    room = 0.0
    for c in range(weight.size):
        if c == 0 or cycles.u[c] != cycles.u[c - 1] or cycles.v[c] != cycles.v[c - 1]:
            room = -pair_cost(graph, cycles.u[c], cycles.v[c])
        w = min(cycles.weight[c], room)
        for a in range(cycles.start[c], cycles.start[c + 1]):
            w = min(w, left[cycles.edge[a]])
        if w > 0:
            weight[c] = w
            room -= w
            for a in range(cycles.start[c], cycles.start[c + 1]):
                left[cycles.edge[a]] -= w
    return weight


@njit(cache=True)
def _incident_pairs(n: int, cycles: Any) -> tuple[Any, Any, Any]:
    """List, for every node, the pairs that cycles use and by how much."""
    start = np.zeros(n + 1, np.int64)
    for c in range(cycles.u.size):
        start[cycles.u[c] + 1] += 1
        start[cycles.v[c] + 1] += 1
    for x in range(n):
        start[x + 1] += start[x]
    fill = start[:-1].copy()
    other, used = np.empty(start[n], np.int32), np.empty(start[n], np.float64)
    for c in range(cycles.u.size):
        a, b = cycles.u[c], cycles.v[c]
        other[fill[a]], used[fill[a]] = b, cycles.weight[c]
        other[fill[b]], used[fill[b]] = a, cycles.weight[c]
        fill[a] += 1
        fill[b] += 1
    return start, other, used


@njit(cache=True)
def _probe(graph: Graph, left: Any, start: Any, other: Any, used: Any) -> tuple[Any, Any]:
    n, m = graph.n, graph.u.size
    dense = graph.dense
    if_cut, if_joined = left.copy(), np.zeros(m)
    taken, repel, attract = np.zeros(n), np.zeros(n), np.zeros(n)
    for a in range(n):
        for k in range(start[a], start[a + 1]):
            taken[other[k]] += used[k]
        if not dense:
            for k in range(graph.row[a], graph.row[a + 1]):
                repel[graph.other[k]] = -graph.pair_cost[k]
        for h in range(graph.start[a], graph.start[a + 1]):
            attract[graph.neighbour[h]] = left[graph.edge[h]]
        for h in range(graph.start[a], graph.start[a + 1]):
            b, e = graph.neighbour[h], graph.edge[h]
            for g in range(graph.start[b], graph.start[b + 1]):
                w, pull = graph.neighbour[g], left[graph.edge[g]]
                if w == a or pull <= 0:
                    continue
                push = -np.float64(graph.matrix[a, w]) if dense else repel[w]
                if push > 0:
                    if_joined[e] += max(0.0, min(pull, push - taken[w]))
                elif a < b:
                    if_cut[e] += min(pull, attract[w])
        for k in range(start[a], start[a + 1]):
            taken[other[k]] = 0
        if not dense:
            for k in range(graph.row[a], graph.row[a + 1]):
                repel[graph.other[k]] = 0
        for h in range(graph.start[a], graph.start[a + 1]):
            attract[graph.neighbour[h]] = 0
    return if_cut, if_joined
