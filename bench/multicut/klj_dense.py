"""Kernighan-Lin with joins on a complete graph, as numba kernels.

Source: Keuper et al., Efficient Decomposition of Image and Mesh Graphs by Lifted Multicuts, ICCV
2015, algorithm 2. For a pair of clusters, nodes change sides one by one, best gain first and also
at a loss; the best prefix of that sequence is kept, or the two are joined if that gains more. A
pair whose second cluster is empty is a split.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK = 64
FAST = {"nnan", "nsz", "reassoc"}
PATIENCE = 100
"""Moves without a new best after which a sequence ends."""
MAX_ROUNDS = 100


class Partition(NamedTuple):
    """Clusters under change. `pull[k, v]` is the sum of the costs between node v and cluster k."""

    costs: NDArray[Any]  # (n, n)
    pull: NDArray[np.float64]  # (n, n); only rows of clusters in use are ever touched
    labels: NDArray[np.int64]  # (n,)
    size: NDArray[np.int64]  # (n + 1,) nodes per cluster
    head: NDArray[np.int64]  # (n + 1,) first node per cluster, -1 for none
    after: NDArray[np.int64]  # (n,) next node of the same cluster
    before: NDArray[np.int64]  # (n,)


class Sequence(NamedTuple):
    """Scratch space for one sequence of moves: the nodes yet to move, then those that did."""

    nodes: NDArray[np.int64]
    gain: NDArray[np.float64]
    side: NDArray[np.float64]  # 1 in the first cluster, -1 in the second
    moved: NDArray[np.int64]


@njit(cache=True)
def improve(costs: NDArray[Any], labels: NDArray[np.int64], pull: NDArray[np.float64]) -> None:
    """Change `labels` until no pair of clusters and no split can be improved.

    Parameters
    ----------
    costs : float32 or float64, shape (n, n), symmetric; the diagonal is ignored
    labels : int64, shape (n,), values below n; changed in place, ids may have gaps afterwards
    pull : float64 zeros, shape (n, n); overwritten

    Notes
    -----
    At the end no move of one node, to a cluster or alone, and no join of two clusters gains more
    than a rounding error. O(n^2 + n k) a round plus O((|A| + |B|)^2) for each pair in question: one
    where some node is drawn to the other cluster. Without such a node only an exchange of two sets
    that repel each other could gain.
    """
    n = labels.size
    p = _partition(costs, labels, pull)
    s = Sequence(np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(n, np.int64))
    least = 1e-12 * n * _largest_size(costs)
    changed = np.ones(n + 1, np.bool_)
    for _ in range(MAX_ROUNDS):
        before = changed.copy()
        changed[:] = False
        for pair in _drawn_together(p, least):
            a, b = pair // (n + 1), pair % (n + 1)
            if (before[a] or before[b]) and p.size[a] and p.size[b] and _improve_pair(p, s, a, b, least):
                changed[a] = changed[b] = True
        empty = 0
        for a in range(n):
            if p.size[a] > 1 and (before[a] or changed[a]):
                while p.size[empty]:
                    empty += 1
                p.pull[empty] = 0
                if _improve_pair(p, s, a, empty, least):
                    changed[a] = changed[empty] = True
        if not changed.any():
            break


@njit(cache=True, fastmath=FAST)
def _improve_pair(p: Partition, s: Sequence, a: int, b: int, least: float) -> bool:
    """Try moves between clusters a and b, and their join; apply the best if it gains over `least`."""
    count = _list_side(p, s, a, b, 1.0, 0)
    join = 0.0
    for i in range(count):
        join += p.pull[b, s.nodes[i]]
    count = _list_side(p, s, b, a, -1.0, count)
    best, kept = _move_sequence(p.costs, s, count, least)
    if join > best and join > least:
        larger, smaller = (a, b) if p.size[b] <= p.size[a] else (b, a)
        _join(p, larger, smaller)
        return True
    for i in range(kept):
        _move(p, s.moved[i], b if p.labels[s.moved[i]] == a else a)
    return kept > 0


@njit(cache=True)
def _list_side(p: Partition, s: Sequence, own: int, other: int, side: float, count: int) -> int:
    v = p.head[own]
    while v >= 0:
        s.nodes[count], s.side[count] = v, side
        s.gain[count] = p.pull[other, v] - p.pull[own, v]
        count += 1
        v = p.after[v]
    return count


@njit(cache=True, fastmath=FAST)
def _move_sequence(costs: NDArray[Any], s: Sequence, count: int, least: float) -> tuple[float, int]:
    """Return the largest total gain of a prefix of the sequence and the length of that prefix."""
    nodes, gain, side, moved = s
    x = 0
    for i in range(1, count):
        if gain[i] > gain[x] or (gain[i] == gain[x] and nodes[i] < nodes[x]):
            x = i
    best, kept, total, done = 0.0, 0, 0.0, 0
    while count:
        total += gain[x]
        moved[done] = nodes[x]
        done += 1
        if total > best + least:
            best, kept = total, done
        elif done - kept >= PATIENCE:
            break
        row, turn = costs[nodes[x]], 2 * side[x]
        count -= 1
        nodes[x], gain[x], side[x] = nodes[count], gain[count], side[count]
        top = -np.inf
        for i in range(count):
            gain[i] += turn * side[i] * row[nodes[i]]
            if gain[i] > top or (gain[i] == top and nodes[i] < nodes[x]):
                top, x = gain[i], i
    return best, kept


@njit(cache=True)
def _drawn_together(p: Partition, least: float) -> NDArray[np.int64]:
    """List the pairs of clusters a < b where a node of one is drawn to the other, as a (n + 1) + b."""
    n = p.labels.size
    pairs, gains, count = np.empty(n + 1, np.int64), np.empty(n + 1), 0
    for k in range(n):
        row = p.pull[k]
        for start in range(0, n if p.size[k] else 0, BLOCK):
            stop = min(start + BLOCK, n)
            found = 0
            for v in range(start, stop):
                found |= row[v] > least
            for v in range(start, stop if found else start):
                own = p.labels[v]
                if row[v] > least and own != k:
                    if count == pairs.size:
                        pairs = np.append(pairs, np.empty_like(pairs))
                        gains = np.append(gains, np.empty_like(gains))
                    pairs[count] = min(k, own) * (n + 1) + max(k, own)
                    gains[count] = row[v] - p.pull[own, v]
                    count += 1
    return strongest_first(pairs[:count], gains[:count])


@njit(cache=True)
def strongest_first(pairs: NDArray[np.int64], gains: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return each pair once, in descending order of its largest gain: an order that no renaming changes."""
    order = np.argsort(pairs, kind="mergesort")
    pairs, gains = pairs[order], gains[order]
    count = 0
    for k in range(pairs.size):
        if k and pairs[k] == pairs[count - 1]:
            gains[count - 1] = max(gains[count - 1], gains[k])
        else:
            pairs[count], gains[count] = pairs[k], gains[k]
            count += 1
    return pairs[:count][np.argsort(-gains[:count], kind="mergesort")]


@njit(cache=True)
def _partition(costs: NDArray[Any], labels: NDArray[np.int64], pull: NDArray[np.float64]) -> Partition:
    n = labels.size
    empty = np.full(n + 1, -1)
    p = Partition(
        costs, pull, labels, np.zeros(n + 1, np.int64), empty, np.empty(n, np.int64), np.empty(n, np.int64)
    )
    for v in range(n - 1, -1, -1):
        _link(p, v, labels[v])
        _add(pull[labels[v]], costs[v], v, 1.0)
    return p


@njit(cache=True)
def _join(p: Partition, a: int, b: int) -> None:
    """Put cluster b into a."""
    p.pull[a] += p.pull[b]
    while p.head[b] >= 0:
        v = p.head[b]
        _unlink(p, v)
        _link(p, v, a)


@njit(cache=True)
def _move(p: Partition, v: int, k: int) -> None:
    _add(p.pull[p.labels[v]], p.costs[v], v, -1.0)
    _add(p.pull[k], p.costs[v], v, 1.0)
    _unlink(p, v)
    _link(p, v, k)


@njit(cache=True)
def _add(target: NDArray[np.float64], row: NDArray[Any], v: int, sign: float) -> None:
    """Add a node's row of costs but for the diagonal."""
    for u in range(v):
        target[u] += sign * row[u]
    for u in range(v + 1, row.size):
        target[u] += sign * row[u]


@njit(cache=True)
def _link(p: Partition, v: int, k: int) -> None:
    first = p.head[k]
    p.after[v], p.before[v] = first, -1
    if first >= 0:
        p.before[first] = v
    p.head[k] = v
    p.size[k] += 1
    p.labels[v] = k


@njit(cache=True)
def _unlink(p: Partition, v: int) -> None:
    after, before = p.after[v], p.before[v]
    if after >= 0:
        p.before[after] = before
    if before >= 0:
        p.after[before] = after
    else:
        p.head[p.labels[v]] = after
    p.size[p.labels[v]] -= 1


@njit(cache=True, fastmath=FAST)
def _largest_size(costs: NDArray[Any]) -> float:
    top = 0.0
    for v in range(costs.shape[0]):
        for u in range(v):
            top = max(top, abs(float(costs[v, u])))
    return top
