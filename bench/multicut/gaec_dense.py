"""Greedy additive edge contraction on a complete graph, as a numba kernel.

Rows are kept current, columns are not: a merge writes one row, and every other row replays the
merges it missed, inside the cache, when it is next read. By symmetry the merged row holds all that
the other rows need to know at once. So a merge costs one contiguous pass instead of a strided one.
A row is copied when it first changes; one that is merged into another before needs no copy at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK = 64
# No NaN reaches the kernels, and -inf marks entries that are gone: LLVM may assume the one, not the other.
FAST = {"nnan", "nsz"}


@njit(cache=True, fastmath=FAST)
def contract(costs: NDArray[Any]) -> NDArray[np.int64]:
    """Merge the two clusters with the largest positive cost between them, until there are none.

    Parameters
    ----------
    costs : float32 or float64, shape (n, n), symmetric, C-contiguous; the diagonal is ignored

    Returns
    -------
    int64, shape (n,): cluster per node, numbered by first appearance.

    Notes
    -----
    A cluster is named by its smallest node. Of equal costs the pair (a, b), a < b, that comes first
    in lexicographic order merges first.
    O(n^2) time plus O(n) for every row searched again. Memory: the rows that are kept or searched
    again, mostly a fraction of `costs`, at worst all.
    Source: Keuper et al., Efficient Decomposition of Image and Mesh Graphs by Lifted Multicuts,
    ICCV 2015, algorithm 1.
    """
    n = costs.shape[0]
    work = np.empty_like(costs)  # rows that are never touched take no memory
    lowest = np.finfo(costs.dtype).min
    best = np.full(
        n, lowest, costs.dtype
    )  # best[r]: largest cost of a pair (r, c), c > r, or a bound above it
    partner = np.full(n, -1, np.int32)
    exact = np.ones(n, np.bool_)
    for r in range(n):
        best[r], partner[r] = _largest(costs[r], r + 1, lowest)

    parent = np.arange(n)
    kept, gone = np.empty(n, np.int32), np.empty(n, np.int32)
    replayed = np.full(n, -1)  # merges that row r of `work` has seen; -1 before it is copied
    spare = np.empty(n, costs.dtype)
    merges = 0
    while n > 1:
        a = _first_largest(best)
        if best[a] <= 0:
            break
        if not exact[a]:
            _bring(work[a], costs[a], a, kept, gone, replayed[a], merges)
            replayed[a] = merges
            best[a], partner[a] = _largest(work[a], a + 1, lowest)
            exact[a] = True
            continue
        b = partner[a]
        row, other = work[a], work[b] if replayed[b] >= 0 else spare
        _bring(row, costs[a], a, kept, gone, replayed[a], merges)
        _bring(other, costs[b], b, kept, gone, replayed[b], merges)
        for c in range(n):
            row[c] += other[c]
        row[a] = row[b] = -np.inf
        kept[merges], gone[merges] = a, b
        merges += 1
        replayed[a] = merges
        parent[b] = a
        best[b] = lowest
        best[a], partner[a] = _largest(row, a + 1, lowest)
        _tell_others(row, a, b, best, partner, exact)
    return _number(parent)


@njit(cache=True, fastmath=FAST)
def _tell_others(row: Any, a: int, b: int, best: Any, partner: Any, exact: Any) -> None:
    """Update the best pairs (r, c) with r < b after b was merged into a; `row` is the merged row."""
    for start in range(0, a, BLOCK):
        stop = min(start + BLOCK, a)
        touched = 0
        for r in range(start, stop):
            touched |= (row[r] >= best[r]) | (partner[r] == a) | (partner[r] == b)
        if touched:
            for r in range(start, stop):
                if row[r] > best[r]:
                    best[r], partner[r], exact[r] = row[r], a, True
                elif row[r] == best[r]:
                    if a < partner[r]:
                        partner[r] = a
                elif partner[r] == a or partner[r] == b:
                    exact[r] = False
    for r in range(a + 1, b):
        if partner[r] == b:
            exact[r] = False


@njit(cache=True, fastmath=FAST)
def _bring(row: Any, original: Any, r: int, kept: Any, gone: Any, start: int, stop: int) -> None:
    """Bring row r up to date, from the merge `start` on; from the original if that is -1."""
    if start < 0:
        row[:] = original
        row[r] = -np.inf
        start = 0
    for m in range(start, stop):
        row[kept[m]] += row[gone[m]]
        row[gone[m]] = -np.inf


@njit(cache=True, fastmath=FAST)
def _largest(row: Any, first: int, lowest: Any) -> tuple[Any, Any]:
    """Largest value of row[first:] and its first position; (lowest, -1) if all are gone."""
    value, at = lowest, -1
    for start in range(first, row.size, BLOCK):
        stop = min(start + BLOCK, row.size)
        top = row[start]
        for c in range(start, stop):
            top = max(top, row[c])
        if top > value:
            value, at = top, start
    if at < 0:
        return value, np.int32(-1)
    while row[at] != value:
        at += 1
    return value, np.int32(at)


@njit(cache=True, fastmath=FAST)
def _first_largest(values: Any) -> int:
    top = values[0]
    for r in range(values.size):
        top = max(top, values[r])
    at = 0
    while values[at] != top:
        at += 1
    return at


@njit(cache=True)
def _number(parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number clusters by first appearance; a parent is smaller than its child."""
    labels = np.empty(parent.size, np.int64)
    count = 0
    for v in range(parent.size):
        if parent[v] == v:
            labels[v] = count
            count += 1
        else:
            labels[v] = labels[parent[v]]
    return labels
