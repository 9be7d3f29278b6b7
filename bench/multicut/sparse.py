"""Greedy multicut of a sparse graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.multicut.costs import check_edges


def greedy_sparse(
    n: int, i: ArrayLike, j: ArrayLike, cost: ArrayLike, *, refine: bool = True
) -> NDArray[np.int64]:
    """Cluster a sparse graph: greedy additive edge contraction, then Kernighan-Lin with joins.

    Parameters
    ----------
    n : number of nodes
    i, j : int, shape (m,), ends of the edges, from 0 to n - 1; one direction of each edge
    cost : float32 or float64, shape (m,)
        Log-odds of a join; positive favours a join. Costs of parallel edges add up, self loops count for
        nothing, and pairs without an edge have cost 0 and are never joined for their own sake.
    refine : also run Kernighan-Lin with joins.

    Returns
    -------
    int64, shape (n,): clusters numbered by first appearance; the edges hold each of them together.

    Raises
    ------
    DataError : lengths differ, an end is not a node, or a cost is NaN or infinite.

    Notes
    -----
    Deterministic. Of equal costs the pair with the smallest indices merges first, where a cluster
    goes by its smallest node; with clusters of very many neighbours the order may differ.
    Memory beside the input: 8 bytes a half-edge for float32 costs, 16 for float64, and about 100 a node.
    """
    return contract_and_refine(n, *check_edges(n, i, j, cost), refine=refine)


def contract_and_refine(
    n: int, u: NDArray[np.int32], v: NDArray[np.int32], cost: NDArray[Any], *, refine: bool
) -> NDArray[np.int64]:
    """Do what `greedy_sparse` does with edges that have been checked."""
    start, half = adjacency(n, u, v, cost)
    labels = contract(start, half)
    if refine:
        from bench.multicut import klj_sparse

        del half  # contracted; the next one takes its place
        start, half = adjacency(n, u, v, cost)
        klj_sparse.improve(start, half, labels)
        labels = klj_sparse.components(start, half, labels)
    return labels


def adjacency(
    n: int, i: NDArray[np.int32], j: NDArray[np.int32], cost: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return where each node's half-edges start (n + 1,), and the half-edges (2 m,)."""
    from bench.multicut import gaec_sparse as gaec

    start, half = np.empty(n + 1, np.int64), np.empty(2 * cost.size, gaec.half_edge(cost.dtype))
    gaec.adjacency(i, j, cost, start, half)
    return start, half


def contract(
    start: NDArray[np.int64],
    half: NDArray[Any],
    longest: int | None = None,
    counts: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Run the contraction alone; overwrites `half`. Clusters with over `longest` half-edges are hubs.

    `counts`, zeros, takes what was done, see `gaec_sparse.COUNTS`.
    """
    from bench.multicut import gaec_sparse as gaec

    n = start.size - 1
    labels: NDArray[np.int64] = gaec.contract(
        start,
        half,
        np.empty(n + 1, gaec.NODE),
        np.empty(n, gaec.ENTRY),
        np.zeros(1 << (2 * n - 1).bit_length(), gaec.SLOT),
        np.zeros(1024, gaec.LINK),
        np.zeros(len(gaec.COUNTS), np.int64) if counts is None else counts,
        max(gaec.HUB, 4 * half.size // n) if longest is None else longest,
    )
    return labels
