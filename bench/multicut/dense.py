"""Greedy multicut of a complete graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.multicut.costs import check_matrix, renumber


def greedy_dense(costs: ArrayLike, *, refine: bool = True, symmetrise: bool = False) -> NDArray[np.int64]:
    """Cluster a complete graph: greedy additive edge contraction, then Kernighan-Lin with joins.

    Parameters
    ----------
    costs : float32 or float64, shape (n, n), symmetric
        Log-odds of a join; positive favours a join. The diagonal is ignored.
    refine : also run Kernighan-Lin with joins.
    symmetrise : take the mean of both directions instead of refusing an asymmetric matrix.

    Returns
    -------
    int64, shape (n,): clusters numbered by first appearance.

    Raises
    ------
    DataError : not square, empty, NaN, infinite, or asymmetric beyond rounding.

    Notes
    -----
    Deterministic. Of equal costs the pair with the smallest indices merges first, where a cluster
    goes by its smallest node. Refinement goes through the pairs of clusters by their numbers, so with the
    nodes in another order it may, rarely, end in another local optimum.
    Memory: copies of the rows that are kept while contracting, mostly a fraction of `costs`; then 8 bytes
    per node and cluster.
    """
    return contract_and_refine(check_matrix(costs, symmetrise=symmetrise), refine=refine)


def contract_and_refine(costs: NDArray[Any], *, refine: bool) -> NDArray[np.int64]:
    """Do what `greedy_dense` does with costs that have been checked."""
    from bench.multicut.gaec_dense import contract
    from bench.multicut.klj_dense import improve

    labels = contract(costs)
    if refine:
        improve(costs, labels, np.zeros(costs.shape))
        labels = renumber(labels)
    return labels
