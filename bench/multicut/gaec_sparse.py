"""Greedy additive edge contraction on a sparse graph, as numba kernels.

Every node owns a contiguous list of half-edges; a cluster owns the lists of its nodes, as a chain.
A merge scans both chains once, resolves ends that have merged since, sums parallel half-edges and
writes the result back in place. Neighbours are not updated: of two clusters the one that was
scanned last holds the cost between them, and one entry in a heap holds its best pair; a cluster that
reaches the top with a pair that has changed since is scanned again.

That is quadratic in the list of a cluster that grows node by node. So a cluster whose list gets
long becomes a hub: it absorbs others without being scanned, keeps no best pair of its own, and the
few neighbours of what it absorbs are scanned again instead. Costs between hubs are in a hash table.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Node: TypeAlias = Any  # an int64: one type for all node numbers, so that each kernel compiles once
Records: TypeAlias = Any  # a structured array; its fields are known to the compiler only
HUB = 512
"""Half-edges at which a cluster becomes a hub. Affects the time only, not the result."""

NODE = np.dtype(
    [
        ("start", "i8"),  # first half-edge of the node's own list; the next node's start ends it
        ("best", "f8"),  # largest cost to another cluster when last scanned
        ("used", "i4"),  # half-edges in the list
        ("next", "i4"),  # next list of the chain, -1 at the end
        ("last", "i4"),  # last list of the chain
        ("formed", "i4"),  # time of the last merge, -1 once merged into another
        ("partner", "i4"),  # the cluster that `best` leads to, -1 if no cost is positive, and for hubs
        ("seen", "i4"),  # `formed` of the partner when last scanned
    ]
)
SLOT = np.dtype([("stamp", "i4"), ("end", "i4"), ("at", "i8")])
ENTRY = np.dtype([("cost", "f8"), ("x", "i4"), ("y", "i4")])  # x found its best pair to be (x, y)
LINK = np.dtype([("pair", "i8"), ("cost", "f8")])  # pair is 0 in an empty slot


def half_edge(cost: np.dtype[Any]) -> np.dtype[Any]:
    """Return the record of one half-edge: 8 bytes for float32 costs, 16 for float64."""
    return np.dtype([("end", "i4"), ("cost", cost)], align=True)


class Contraction(NamedTuple):
    """State of a contraction. Functions that may grow `heap` or `links` return the new state."""

    nodes: Records  # NODE, (n + 1,)
    half: Records  # half_edge, (2 m,)
    parent: Any  # (n,) union-find; a parent is smaller than its child
    gone: NDArray[np.uint8]  # one bit per node: has a parent. Small enough to stay in the cache
    hub: Any  # (n,) number of the hub, -1 for other clusters
    table: Records  # SLOT, a power of two of at least 2 n; where a scan finds an end again
    heap: Records  # ENTRY, 4-ary
    links: Records  # LINK, a power of two; costs between hubs
    counts: NDArray[np.int64]  # see below


# What `counts` counts; READ are half-edges in scans, which is where the time goes.
COUNTS = ENTRIES, SCANS, MERGES, HUBS, LINKS, READ = range(6)


@njit(cache=True)
def adjacency(
    i: NDArray[np.int32],
    j: NDArray[np.int32],
    cost: NDArray[Any],
    start: NDArray[np.int64],
    half: Records,
) -> None:
    """Fill `half` (2 m,) with the half-edges sorted by node, and `start` (n + 1,) with where they begin.

    Self loops are left out; parallel edges are kept.
    """
    n = start.size - 1
    start[:] = 0
    for e in range(i.size):
        if i[e] != j[e]:
            start[i[e]] += 1
            start[j[e]] += 1
    for v in range(n):
        start[v + 1] += start[v]
    for e in range(i.size - 1, -1, -1):
        u, v = i[e], j[e]
        if u != v:
            start[u] -= 1
            start[v] -= 1
            half[start[u]].end, half[start[u]].cost = v, cost[e]
            half[start[v]].end, half[start[v]].cost = u, cost[e]


@njit(cache=True)
def contract(
    start: NDArray[np.int64],
    half: Records,
    nodes: Records,
    heap: Records,
    table: Records,
    links: Records,
    counts: NDArray[np.int64],
    longest: int,
) -> NDArray[np.int64]:
    """Merge the two clusters with the largest positive cost between them, until there are none.

    Parameters
    ----------
    start, half : of `adjacency`; `half` is overwritten
    nodes : NODE, shape (n + 1,); overwritten
    heap : ENTRY, shape (n,); overwritten
    table : SLOT, zeros; size a power of two, at least 2 n
    links : LINK, zeros; size a power of two
    counts : zeros, one for each of COUNTS; what was done
    longest : half-edges up to which a cluster is scanned at a merge; beyond it is a hub

    Returns
    -------
    int64, shape (n,): cluster per node, numbered by first appearance.

    Notes
    -----
    Ties as in `gaec_dense.contract`: the lexicographically smallest pair of smallest nodes first;
    among pairs with a hub the order may differ. O(m log n) for bounded `longest`.
    """
    n = start.size - 1
    parent = np.arange(n).astype(np.int32)
    gone, hub = np.zeros(n // 8 + 1, np.uint8), np.full(n, -1, np.int32)
    g = Contraction(nodes, half, parent, gone, hub, table, heap, links, counts)
    for v in range(n + 1):
        node = nodes[v]
        node.start, node.used = start[v], start[min(v + 1, n)] - start[v]
        node.next, node.last, node.formed, node.partner, node.seen = -1, v, 0, -1, 0
    _first_pairs(g)
    for v in range(n):
        if nodes[v].used > longest:
            g = _make_hub(g, v)
    while g.counts[ENTRIES]:
        g = _take_top(g, longest)

    labels = np.empty(n, np.int64)
    clusters = 0
    for v in range(n):
        if parent[v] == v:
            labels[v] = clusters
            clusters += 1
        else:
            labels[v] = labels[parent[v]]
    return labels


@njit(cache=True)
def _first_pairs(g: Contraction) -> None:
    size = 0
    for v in range(g.parent.size):
        _scan(g, v)
        partner = g.nodes[v].partner
        if partner >= 0 and not (
            partner < v and g.nodes[partner].partner == v
        ):  # else one entry does for both
            entry = g.heap[size]
            entry.cost, entry.x, entry.y = g.nodes[v].best, v, partner
            size += 1
    g.counts[ENTRIES] = size
    for at in range((size - 2) // 4, -1, -1):
        entry = g.heap[at]
        _sink(g.heap, np.int64(size), np.int64(at), float(entry.cost), np.int64(entry.x), np.int64(entry.y))


@njit(cache=True)
def _take_top(g: Contraction, longest: int) -> Contraction:
    """Merge the pair at the top of the heap, or scan again what turns out to be stale."""
    cost, x, y = g.heap[0].cost, np.int64(g.heap[0].x), np.int64(g.heap[0].y)
    one, two = g.nodes[x], g.nodes[y]
    scan: Node = -1
    if one.formed >= 0 and one.partner == y and one.best == cost:
        if two.formed != one.seen:
            scan = x
        elif g.hub[y] >= 0:
            _drop_top(g)
            g = _absorb(g, y, x)
        else:
            scan = min(x, y)
            _unite(g, scan, max(x, y))
            _chain(g, scan, max(x, y))
    elif two.formed >= 0 and two.partner == x:  # y may have no entry of its own
        scan = y
    else:
        _drop_top(g)
        x, y = _find(g.parent, x), _find(g.parent, y)
        if x != y and g.hub[x] >= 0 and g.hub[y] >= 0 and _link(g.links, g.hub[x], g.hub[y]).cost == cost:
            hub = x if _length(g, x) >= _length(g, y) else y
            g = _absorb(g, hub, x + y - hub)
    if scan >= 0:
        _scan(g, scan)
        _replace_top(g, scan)
        if _length(g, scan) > longest:
            g = _make_hub(g, scan)
    return g


@njit(cache=True)
def _scan(g: Contraction, a: Node) -> None:
    """Compact the chain of cluster a and find its best pair."""
    count = _length(g, a)
    mask = 15
    while mask < 2 * count and mask < g.table.size - 1:
        mask = 2 * mask + 1
    g.counts[SCANS] += 1
    g.counts[READ] += count
    stamp = g.counts[SCANS]
    to: Node = a
    at, stop = g.nodes[a].start, g.nodes[a + 1].start
    chained: Node = a
    while chained >= 0:
        first = g.nodes[chained].start
        for p in range(first, first + g.nodes[chained].used):
            end = np.int64(g.half[p].end)
            if g.gone[end >> 3] >> (end & 7) & 1:
                end = _find(g.parent, end)
            if end == a:
                continue
            k = end & mask
            while g.table[k].stamp == stamp and g.table[k].end != end:
                k = (k + 1) & mask
            slot = g.table[k]
            if slot.stamp == stamp:
                g.half[slot.at].cost += g.half[p].cost
                continue
            while at == stop:  # what is written never overtakes what is read
                g.nodes[to].used = stop - g.nodes[to].start
                to = np.int64(g.nodes[to].next)
                at, stop = g.nodes[to].start, g.nodes[to + 1].start
            slot.stamp, slot.end, slot.at = stamp, end, at
            g.half[at].cost, g.half[at].end = g.half[p].cost, end
            at += 1
        chained = np.int64(g.nodes[chained].next)
    g.nodes[to].used = at - g.nodes[to].start
    g.nodes[to].next = -1
    g.nodes[a].last = to
    _find_best(g, a)


@njit(cache=True)
def _find_best(g: Contraction, a: Node) -> None:
    best: Any = 0.0
    partner: Node = -1
    chained: Node = a
    while chained >= 0:
        first = g.nodes[chained].start
        for p in range(first, first + g.nodes[chained].used):
            cost = g.half[p].cost
            if cost > best or (cost == best and g.half[p].end < partner):
                best, partner = cost, g.half[p].end
        chained = np.int64(g.nodes[chained].next)
    node = g.nodes[a]
    node.best, node.partner = best, partner
    if partner >= 0:
        node.seen = g.nodes[partner].formed


@njit(cache=True)
def _make_hub(g: Contraction, a: Node) -> Contraction:
    g.hub[a] = g.counts[HUBS]
    g.counts[HUBS] += 1
    return _update_neighbours(g, a, a)


@njit(cache=True)
def _absorb(g: Contraction, hub: Node, x: Node) -> Contraction:
    """Merge x, a cluster or a hub with a shorter chain, into a hub."""
    _scan(g, x)  # so that each neighbour is updated once
    formed = g.nodes[hub].formed
    a, b = min(hub, x), max(hub, x)
    _unite(g, a, b)
    if a == hub:
        g.nodes[a].formed = formed  # all but x's neighbours keep their cost to the hub, and those are updated
    g.hub[a] = g.hub[hub]
    g = _update_neighbours(g, a, x)
    _chain(g, a, b)
    return g


@njit(cache=True)
def _update_neighbours(g: Contraction, hub: Node, x: Node) -> Contraction:
    """After cluster x became (part of) a hub: update the costs between the hub and x's neighbours."""
    g.nodes[hub].partner = -1
    chained: Node = x
    while chained >= 0:
        first = g.nodes[chained].start
        for p in range(first, first + g.nodes[chained].used):
            end = _find(g.parent, np.int64(g.half[p].end))
            if end == hub:
                continue
            if g.hub[end] < 0:
                _scan(g, end)
                if g.nodes[end].partner >= 0:
                    g = _push(g, g.nodes[end].best, end, np.int64(g.nodes[end].partner))
            else:
                g = _add_link(g, g.hub[hub], g.hub[end], g.half[p].cost)
                cost = _link(g.links, g.hub[hub], g.hub[end]).cost
                if cost > 0:
                    g = _push(g, cost, hub, end)
        chained = np.int64(g.nodes[chained].next)
    return g


@njit(cache=True)
def _unite(g: Contraction, a: Node, b: Node) -> None:
    g.counts[MERGES] += 1
    g.parent[b] = a
    g.gone[b >> 3] |= 1 << (b & 7)
    g.nodes[b].formed = -1
    g.nodes[a].formed = g.counts[MERGES]


@njit(cache=True)
def _chain(g: Contraction, a: Node, b: Node) -> None:
    g.nodes[g.nodes[a].last].next = b
    g.nodes[a].last = g.nodes[b].last


@njit(cache=True)
def _length(g: Contraction, a: Node) -> int:
    length = 0
    chained: Node = a
    while chained >= 0:
        length += g.nodes[chained].used
        chained = np.int64(g.nodes[chained].next)
    return length


@njit(cache=True)
def _find(parent: Any, v: Node) -> Node:
    while parent[v] != v:
        parent[v] = parent[parent[v]]
        v = np.int64(parent[v])
    return v


@njit(cache=True)
def _link(links: Records, one: int, two: int) -> Any:
    """Return the slot of a pair of hubs, or the empty slot where it belongs."""
    pair = (np.int64(min(one, two)) << 32 | max(one, two)) + 1
    at = (pair ^ pair >> 29) * 0x9E3779B1 >> 7 & links.size - 1
    while links[at].pair != pair and links[at].pair != 0:
        at = at + 1 & links.size - 1
    return links[at]


@njit(cache=True)
def _add_link(g: Contraction, one: int, two: int, cost: float) -> Contraction:
    if 2 * g.counts[LINKS] >= g.links.size:
        links = np.zeros(2 * g.links.size, g.links.dtype)
        for old in g.links:
            if old.pair:
                new = _link(links, old.pair - 1 >> 32, old.pair - 1 & 0x7FFFFFFF)
                new.pair, new.cost = old.pair, old.cost
        g = Contraction(g.nodes, g.half, g.parent, g.gone, g.hub, g.table, g.heap, links, g.counts)
    slot = _link(g.links, one, two)
    if slot.pair == 0:
        slot.pair = (np.int64(min(one, two)) << 32 | max(one, two)) + 1
        g.counts[LINKS] += 1
    slot.cost += cost
    return g


@njit(cache=True)
def _push(g: Contraction, cost: float, x: Node, y: Node) -> Contraction:
    if g.counts[ENTRIES] == g.heap.size:
        heap = np.empty(2 * g.heap.size + 1, g.heap.dtype)
        heap[: g.heap.size] = g.heap
        g = Contraction(g.nodes, g.half, g.parent, g.gone, g.hub, g.table, heap, g.links, g.counts)
    at = g.counts[ENTRIES]
    g.counts[ENTRIES] += 1
    while at > 0 and _comes_first(cost, x, y, g.heap[(at - 1) // 4]):
        above = g.heap[(at - 1) // 4]
        g.heap[at].cost, g.heap[at].x, g.heap[at].y = above.cost, above.x, above.y
        at = (at - 1) // 4
    g.heap[at].cost, g.heap[at].x, g.heap[at].y = cost, x, y
    return g


@njit(cache=True)
def _replace_top(g: Contraction, x: Node) -> None:
    """Replace the top of the heap by x's best pair, if x has one."""
    if g.nodes[x].partner < 0:
        _drop_top(g)
    else:
        _sink(g.heap, g.counts[ENTRIES], np.int64(0), g.nodes[x].best, x, np.int64(g.nodes[x].partner))


@njit(cache=True)
def _drop_top(g: Contraction) -> None:
    g.counts[ENTRIES] -= 1
    last = g.heap[g.counts[ENTRIES]]
    _sink(g.heap, g.counts[ENTRIES], np.int64(0), float(last.cost), np.int64(last.x), np.int64(last.y))


@njit(cache=True)
def _sink(heap: Records, size: Node, at: Node, cost: float, x: Node, y: Node) -> None:
    """Put an entry into the free place `at` or below it, where it belongs."""
    while 4 * at + 1 < size:
        first = 4 * at + 1
        top = heap[first]
        for k in range(4 * at + 2, min(4 * at + 5, size)):
            if _comes_first(float(heap[k].cost), np.int64(heap[k].x), np.int64(heap[k].y), top):
                first, top = k, heap[k]
        if _comes_first(cost, x, y, top):
            break
        heap[at].cost, heap[at].x, heap[at].y = top.cost, top.x, top.y
        at = first
    heap[at].cost, heap[at].x, heap[at].y = cost, x, y


@njit(cache=True)
def _comes_first(cost: float, x: Node, y: Node, other: Any) -> bool:
    if cost != other.cost:
        return bool(cost > other.cost)
    low, other_low = min(x, y), min(other.x, other.y)
    return bool(low < other_low or (low == other_low and max(x, y) < max(other.x, other.y)))
