"""Inequalities beyond conflicted cycles: odd wheels and stars around one node of a complete graph.

With x = 1 for joined pairs: a centre s, and around it T. Partitions obey, for an odd cycle R through T,
the sum of x_st over T less the sum of x over R <= (|T| - 1) / 2; and with all pairs of T for R, <= 1.
Sources: Deza, Groetschel, Laurent, Clique-web facets for multicut polytopes, Mathematics of Operations
Research 17 (1992); Groetschel, Wakabayashi, Facets of the clique partitioning polytope, Mathematical
Programming 47 (1990).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.multicut.packing import grown
from bench.multicut.problem import CutProblem, DenseProblem
from bench.multicut.separation import Point

LEAST = 0.02
"""Least violation at which an inequality is worth a row."""
SPOKES = 60
"""Nodes around a centre that are searched, those joined to it most."""


class Wheels(NamedTuple):
    """Inequalities `sum sign x <= limit` over pairs of nodes, x = 1 for joined pairs."""

    start: NDArray[np.int64]
    """(k + 1,) inequality r has the pairs `start[r]:start[r + 1]`."""
    a: NDArray[np.int32]
    """Smaller node of each pair."""
    b: NDArray[np.int32]
    sign: NDArray[np.float64]
    """1 from the centre, -1 around it; where groups of nodes became one, sums of these."""
    limit: NDArray[np.float64]
    weight: NDArray[np.float64]
    """(k,) >= 0."""

    def used(self) -> Wheels:
        """Return the inequalities with a weight."""
        keep = self.weight > 0
        size = np.diff(self.start)
        entry = np.repeat(keep, size)
        start = np.concatenate([[0], np.cumsum(size[keep])])
        return Wheels(
            start, self.a[entry], self.b[entry], self.sign[entry], self.limit[keep], self.weight[keep]
        )


def no_wheels() -> Wheels:
    """Return zero inequalities."""
    none = np.empty(0, np.int32)
    return Wheels(np.zeros(1, np.int64), none, none, np.empty(0), np.empty(0), np.empty(0))


def join_wheels(one: Wheels, two: Wheels) -> Wheels:
    """Concatenate two lists of inequalities."""
    return Wheels(
        np.concatenate([one.start, one.start[-1] + two.start[1:]]),
        np.concatenate([one.a, two.a]),
        np.concatenate([one.b, two.b]),
        np.concatenate([one.sign, two.sign]),
        np.concatenate([one.limit, two.limit]),
        np.concatenate([one.weight, two.weight]),
    )


def covering(problem: CutProblem, wheels: Wheels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rewrite in values z of the relaxation: `sum coefficient z >= lower`; per pair, and per inequality."""
    positive = problem.pair_costs(wheels.a, wheels.b) > 0
    constant = np.append(np.where(positive, wheels.sign, 0.0), 0.0)
    filled = np.add.reduceat(constant, wheels.start[:-1]) if len(wheels.limit) else np.empty(0)
    return np.where(positive, wheels.sign, -wheels.sign), filled - wheels.limit


def charged(problem: DenseProblem, wheels: Wheels) -> tuple[DenseProblem, float]:
    """Subtract weighted inequalities from the costs of a complete graph.

    Returns a problem with other |cost| and a number. A partition's disagreement in `problem` is at least
    the number plus its disagreement in the problem returned.
    """
    n, m = problem.n, len(problem.u)
    coefficient, lower = covering(problem, wheels)
    key = wheels.a.astype(np.int64) * n + wheels.b
    is_edge = problem.pair_costs(wheels.a, wheels.b) > 0
    edge = np.searchsorted(problem.u.astype(np.int64) * n + problem.v, key[is_edge])
    pair, place = np.unique(key[~is_edge], return_inverse=True)
    load = coefficient * np.repeat(wheels.weight, np.diff(wheels.start))
    left = problem.cost - np.bincount(edge, load[is_edge], m)
    a, b = pair // n, pair % n
    left_pair = -problem.pair_costs(a, b) - np.bincount(place, load[~is_edge], len(pair))
    # Slightly too large weights would leave negative costs, for which z = 1 would be a gain.
    owed = np.minimum(left, 0.0).sum() + np.minimum(left_pair, 0.0).sum()
    left, left_pair = np.maximum(left, 0.0), np.maximum(left_pair, 0.0)
    return problem.repriced(left, a, b, -left_pair), float(wheels.weight @ lower + owed)


def carry_wheels(wheels: Wheels, place: NDArray[np.int64], n: int) -> Wheels:
    """Map inequalities to contracted nodes: `place` is one of n, or -1 for a node outside of these.

    Only those without a pair elsewhere are kept.
    """
    a, b = place[wheels.a], place[wheels.b]
    row = np.repeat(np.arange(len(wheels.limit)), np.diff(wheels.start))
    count = len(wheels.limit)
    elsewhere = np.bincount(row, (a < 0) & (b < 0), count) > 0
    together = (a == b) & (a >= 0)
    limit = wheels.limit - np.bincount(row, wheels.sign * together, count)
    open_pair = (a >= 0) & (b >= 0) & (a != b) & ~elsewhere[row]
    low, high = np.minimum(a, b)[open_pair], np.maximum(a, b)[open_pair]
    key, at = np.unique((row[open_pair] * n + low) * n + high, return_inverse=True)
    sign = np.bincount(at, wheels.sign[open_pair], len(key))
    key, sign = key[sign != 0], sign[sign != 0]
    row, pair = key // (n * n), key % (n * n)
    size = np.bincount(row, minlength=count)
    keep = size > 0
    start = np.concatenate([[0], np.cumsum(size[keep])])
    low, high = (pair // n).astype(np.int32), (pair % n).astype(np.int32)
    return Wheels(start, low, high, sign, limit[keep], np.zeros(keep.sum()))


def find_wheels(problem: DenseProblem, point: Point) -> Wheels:
    """Find violated inequalities at a point, at most two for every centre."""
    n = problem.n
    x = np.zeros((n, n))
    source = np.repeat(np.arange(n), np.diff(point.row))
    x[source, point.other] = x[point.other, source] = np.clip(point.pair, 0.0, 1.0)
    x[problem.u, problem.v] = x[problem.v, problem.u] = 1 - np.clip(point.edge, 0.0, 1.0)
    return Wheels(*_find(x))


@njit(cache=True)
def _find(x: Any) -> tuple[Any, Any, Any, Any, Any, Any]:
    n = x.shape[0]
    start, a, b = np.zeros(257, np.int64), np.empty(1024, np.int32), np.empty(1024, np.int32)
    sign, limit, weight = np.empty(1024), np.empty(256), np.empty(256)
    count = 0
    for s in range(n):
        near = np.flatnonzero(x[s] > LEAST)
        near = near[np.argsort(-x[s][near], kind="mergesort")[:SPOKES]]
        if near.size < 3:
            continue
        for kind in range(2):
            if kind == 0:
                around, gain = _star(x, s, near)
                size = around.size * (around.size - 1) // 2
                most = 1.0
            else:
                around, gain = _wheel(x, s, near)
                size = around.size
                most = (around.size - 1) / 2
            if gain < LEAST:
                continue
            start, limit = grown(start, count + 2), grown(limit, count + 1)
            weight = grown(weight, count + 1)
            at = start[count]
            end = at + around.size + size
            a, b, sign = grown(a, end), grown(b, end), grown(sign, end)
            for i in range(around.size):
                a[at], b[at], sign[at] = min(s, around[i]), max(s, around[i]), 1.0
                at += 1
            for i in range(around.size):
                for j in range(i + 1, around.size):
                    if kind == 0 or j == i + 1 or (i == 0 and j == around.size - 1):
                        a[at], b[at] = min(around[i], around[j]), max(around[i], around[j])
                        sign[at] = -1.0
                        at += 1
            start[count + 1], limit[count], weight[count] = at, most, gain
            count += 1
    end = start[count]
    return (
        start[: count + 1].copy(),
        a[:end].copy(),
        b[:end].copy(),
        sign[:end].copy(),
        limit[:count].copy(),
        weight[:count].copy(),
    )


@njit(cache=True)
def _star(x: Any, s: int, near: Any) -> tuple[Any, float]:
    """Grow T greedily from every first node; return the best and its violation."""
    best, best_gain = near[:0].copy(), 0.0
    chosen = np.empty(near.size, np.int64)
    price = np.empty(near.size)
    for first in range(near.size):
        gain, k, add = -1.0, 0, first
        for t in range(near.size):
            price[t] = x[s, near[t]]
        while add >= 0:
            gain += price[add]
            chosen[k] = add
            k += 1
            price[add] = -1.0
            new, most = -1, 1e-6
            for t in range(near.size):
                price[t] -= x[near[add], near[t]]
                if price[t] > most:
                    most, new = price[t], t
            add = new
        if k >= 3 and gain > best_gain + 1e-9:
            best, best_gain = near[chosen[:k]], gain
    return best, best_gain


@njit(cache=True)
def _wheel(x: Any, s: int, near: Any) -> tuple[Any, float]:
    """Find an odd cycle around s: a shortest path from a node's even to its odd copy; and its violation."""
    k = near.size
    length = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            length[i, j] = max(0.0, 0.5 * (1 - x[s, near[i]] - x[s, near[j]]) + x[near[i], near[j]])
    best, best_length = near[:0].copy(), 0.5 - LEAST
    distance, before, final = np.empty(2 * k), np.empty(2 * k, np.int64), np.empty(2 * k, np.bool_)
    walk = np.empty(2 * k + 1, np.int64)
    for root in range(k):
        distance[:] = np.inf
        final[:] = False
        distance[root] = 0.0
        while True:
            p, d = -1, best_length - 1e-9
            for q in range(2 * k):
                if not final[q] and distance[q] < d:
                    p, d = q, distance[q]
            if p < 0 or p == root + k:
                break
            final[p] = True
            i, other = p % k, (0 if p >= k else k)
            for j in range(k):
                if j != i and d + length[i, j] < distance[other + j]:
                    distance[other + j] = d + length[i, j]
                    before[other + j] = p
        if p != root + k:
            continue
        size, q = 0, p
        while q != root:
            walk[size] = q
            size += 1
            q = before[q]
        # A node passed twice splits the walk in two closed ones, of which one is odd.
        at, again = 0, True
        while again:
            again = False
            for i in range(at, size):
                for j in range(i + 1, size):
                    if not again and walk[i] % k == walk[j] % k:
                        again = True
                        if (j - i) % 2:
                            at, size = i, j
                        else:
                            walk[i : size - (j - i)] = walk[j:size].copy()
                            size -= j - i
                        break
                if again:
                    break
        best = near[walk[at:size] % k]
        total = 0.0
        for i in range(best.size):
            u, v = walk[at + i] % k, walk[at + (i + 1) % best.size] % k
            total += length[u, v]
        best_length = min(best_length, total)
    return best, 0.5 - best_length if best.size else 0.0
