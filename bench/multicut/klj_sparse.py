"""Kernighan-Lin with joins on a sparse graph, as numba kernels.

The same search as `klj_dense`, but only along the boundary: nodes enter the sequence of a pair of
clusters when an edge leads them to the other side, so a pair costs about what its smaller cluster does.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.multicut.klj_dense import strongest_first

Node: TypeAlias = Any  # an int64: one type for all node numbers, so that each kernel compiles once
PATIENCE = 100
"""Moves without a new best after which a sequence ends."""
MAX_ROUNDS = 50


class Partition(NamedTuple):
    """Clusters under change, and scratch space for one sequence of moves."""

    start: NDArray[np.int64]  # (n + 1,)
    half: NDArray[Any]  # (2 m,)
    labels: NDArray[np.int64]  # (n,)
    size: Any  # (n + 1,) nodes per cluster
    head: Any  # (n + 1,) first node per cluster, -1 for none
    after: Any  # (n,) next node of the same cluster
    before: Any  # (n,)
    gain: NDArray[np.float64]  # (n,)
    state: NDArray[np.int32]  # (n,) place in the queue, or one of the following
    queue: NDArray[np.int32]  # (n,) heap of candidates, largest gain first
    listed: NDArray[np.int32]  # (n,) all candidates of the sequence
    moved: NDArray[np.int32]  # (n,) in order


IDLE, MOVED = -1, -2


@njit(cache=True)
def improve(start: NDArray[np.int64], half: NDArray[Any], labels: NDArray[np.int64]) -> None:
    """Change `labels` until no pair of clusters and no split can be improved.

    Parameters
    ----------
    start, half : of `gaec_sparse.adjacency`
    labels : int64, shape (n,), values from 0 to n; changed in place, ids may have gaps afterwards

    Notes
    -----
    At the end no move of one node, to a cluster or alone, and no join of two clusters gains more
    than a rounding error, unless MAX_ROUNDS came first.
    """
    n = labels.size
    p = _partition(start, half, labels)
    least = 0.0
    for e in range(half.size):
        least = max(least, abs(float(half[e].cost)) * 1e-10)
    changed = np.ones(n + 1, np.bool_)
    for _ in range(MAX_ROUNDS):
        before = changed.copy()
        changed[:] = False
        for pair in _drawn_together(p, before, least):
            a, b = pair // (n + 1), pair % (n + 1)
            if (before[a] or before[b]) and p.size[a] and p.size[b] and _improve_pair(p, a, b, least):
                changed[a] = changed[b] = True
        empty = 0
        for a in range(n + 1):
            if (before[a] or changed[a]) and _has_inner_conflict(p, a):
                while p.size[empty]:
                    empty += 1
                if _improve_pair(p, a, empty, least):
                    changed[a] = changed[empty] = True
        if not changed.any():
            break


@njit(cache=True)
def components(start: NDArray[np.int64], half: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split clusters that the graph does not hold together; number them by first appearance."""
    n = labels.size
    parts, stack = np.full(n, -1), np.empty(n, np.int64)
    count = 0
    for root in range(n):
        if parts[root] >= 0:
            continue
        parts[root], stack[0], height = count, root, 1
        while height:
            height -= 1
            v = stack[height]
            for e in range(start[v], start[v + 1]):
                u = half[e].end
                if parts[u] < 0 and labels[u] == labels[v]:
                    parts[u], stack[height] = count, u
                    height += 1
        count += 1
    return parts


@njit(cache=True)
def _drawn_together(p: Partition, changed: NDArray[np.bool_], least: float) -> NDArray[np.int64]:
    """List the pairs of clusters a < b where a node of one is drawn to the other, as a (n + 1) + b."""
    n = p.labels.size
    pairs, gains, count = np.empty(n + 1, np.int64), np.empty(n + 1), 0
    pull = np.zeros(n + 1)
    nearby = changed.copy()  # clusters that changed, and their neighbours
    for u in range(n):
        if changed[p.labels[u]]:
            for e in range(p.start[u], p.start[u + 1]):
                nearby[p.labels[p.half[e].end]] = True
    for a in range(n + 1):
        v: Node = p.head[a] if nearby[a] else -1
        while v >= 0:
            for e in range(p.start[v], p.start[v + 1]):
                pull[p.labels[p.half[e].end]] += p.half[e].cost
            own = pull[a]
            for e in range(p.start[v], p.start[v + 1]):
                b = p.labels[p.half[e].end]
                if pull[b] > least and b != a:
                    if count == pairs.size:
                        pairs = np.append(pairs, np.empty_like(pairs))
                        gains = np.append(gains, np.empty_like(gains))
                    pairs[count] = min(a, b) * (n + 1) + max(a, b)
                    gains[count] = pull[b] - own
                    count += 1
                pull[b] = 0
            v = np.int64(p.after[v])
    return strongest_first(pairs[:count], gains[:count])


@njit(cache=True)
def _has_inner_conflict(p: Partition, a: Node) -> bool:
    v = p.head[a]
    while v >= 0:
        for e in range(p.start[v], p.start[v + 1]):
            if p.half[e].cost < 0 and p.labels[p.half[e].end] == a:
                return True
        v = p.after[v]
    return False


@njit(cache=True)
def _improve_pair(p: Partition, a: Node, b: Node, least: float) -> bool:
    """Try moves between clusters a and b, and their join; apply the best if it gains over `least`."""
    small, large = (b, a) if 0 < p.size[b] <= p.size[a] else (a, b)
    listed, queued = 0, 0
    join = 0.0
    v = p.head[small]
    while v >= 0:
        touches = p.size[large] == 0
        for e in range(p.start[v], p.start[v + 1]):
            if p.labels[p.half[e].end] == large:
                touches = True
                join += p.half[e].cost
        if touches:
            listed, queued = _list(p, v, a, b, listed, queued)
            for e in range(p.start[v], p.start[v + 1]):
                u = p.half[e].end
                if p.labels[u] == large and p.state[u] == IDLE:
                    listed, queued = _list(p, u, a, b, listed, queued)
        v = p.after[v]

    best, total = 0.0, 0.0
    kept, done = 0, 0
    while queued and done - kept < PATIENCE:
        x = np.int64(p.queue[0])
        queued -= 1
        _settle(p, np.int64(p.queue[queued]), queued, 0)
        p.state[x] = MOVED
        p.moved[done] = x
        done += 1
        total += p.gain[x]
        if total > best + least:
            best, kept = total, done
        for e in range(p.start[x], p.start[x + 1]):
            u = np.int64(p.half[e].end)
            if p.labels[u] != a and p.labels[u] != b:
                continue
            if p.state[u] == IDLE:
                listed, queued = _list(p, u, a, b, listed, queued)
            elif p.state[u] >= 0:
                p.gain[u] += 2 * p.half[e].cost if p.labels[u] == p.labels[x] else -2 * p.half[e].cost
                _settle(p, u, queued, p.state[u])
    for u in p.listed[:listed]:
        p.state[u] = IDLE

    if join > best and join > least:
        while p.head[small] >= 0:
            _move(p, p.head[small], large)
        return True
    for v in p.moved[:kept]:
        _move(p, v, b if p.labels[v] == a else a)
    return kept > 0


@njit(cache=True)
def _list(p: Partition, v: Node, a: Node, b: Node, listed: int, queued: int) -> tuple[int, int]:
    """Make node v a candidate, with its gain as things stand in the sequence."""
    gain = 0.0
    for e in range(p.start[v], p.start[v + 1]):
        u = p.half[e].end
        if p.labels[u] == a or p.labels[u] == b:
            same = (p.labels[u] == p.labels[v]) == (p.state[u] != MOVED)
            gain += -p.half[e].cost if same else p.half[e].cost
    p.gain[v] = gain
    p.listed[listed] = v
    _settle(p, np.int64(v), queued + 1, queued)
    return listed + 1, queued + 1


@njit(cache=True)
def _settle(p: Partition, v: Node, size: int, at: Node) -> None:
    """Put node v into the free place `at` of the queue, above or below it, where it belongs."""
    while at > 0 and _comes_first(p.gain, v, p.queue[(at - 1) // 2]):
        p.queue[at] = p.queue[(at - 1) // 2]
        p.state[p.queue[at]] = at
        at = (at - 1) // 2
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _comes_first(p.gain, p.queue[child + 1], p.queue[child]):
            child += 1
        if not _comes_first(p.gain, p.queue[child], v):
            break
        p.queue[at] = p.queue[child]
        p.state[p.queue[at]] = at
        at = child
    p.queue[at] = v
    p.state[v] = at


@njit(cache=True)
def _comes_first(gain: Any, v: Node, u: Node) -> bool:
    return bool(gain[v] > gain[u] or (gain[v] == gain[u] and v < u))


@njit(cache=True)
def _partition(start: NDArray[np.int64], half: NDArray[Any], labels: NDArray[np.int64]) -> Partition:
    n = labels.size
    p = Partition(
        start,
        half,
        labels,
        np.zeros(n + 1, np.int64),
        np.full(n + 1, -1),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n),
        np.full(n, IDLE, np.int32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
    )
    for v in range(n - 1, -1, -1):
        _link(p, v, labels[v])
    return p


@njit(cache=True)
def _move(p: Partition, v: Node, k: Node) -> None:
    after, before = p.after[v], p.before[v]
    if after >= 0:
        p.before[after] = before
    if before >= 0:
        p.after[before] = after
    else:
        p.head[p.labels[v]] = after
    p.size[p.labels[v]] -= 1
    _link(p, v, k)


@njit(cache=True)
def _link(p: Partition, v: Node, k: Node) -> None:
    first = p.head[k]
    p.after[v], p.before[v] = first, -1
    if first >= 0:
        p.before[first] = v
    p.head[k] = v
    p.size[k] += 1
    p.labels[v] = k
