"""Sparse graphs of nearest neighbours, as several clusterers need them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from bench.interfaces import Features

EXACT_UP_TO = 50_000
"""Images up to which all pairs are compared; more are searched by nearest-neighbour descent."""
MOST_COMPONENTS = 10_000
"""Components that can be joined: the distances between all their centres are held in memory."""


def neighbour_graph(features: Features, neighbours: int, *, seed: int, threads: int = 1) -> csr_matrix:
    """Link every image to its nearest others, and them to it.

    Parameters
    ----------
    features : float32, shape (n, d), n >= 2; Euclidean distance.
    neighbours : nearest others per image, the image itself not counted; at most n - 1 are used.
    seed : of the approximate search, which serves more than `EXACT_UP_TO` images; unused below.

    Returns
    -------
    Symmetric (n, n) float64, no diagonal: 1 where each is a neighbour of the other, 0.5 where one is.

    Notes
    -----
    The exact search costs O(n^2 d) time, O(n * neighbours) memory.
    """
    from scipy.sparse import csr_matrix

    n = len(features)
    count = min(neighbours, n - 1)
    if n <= EXACT_UP_TO:
        from sklearn.neighbors import NearestNeighbors

        found = NearestNeighbors(n_neighbors=count, n_jobs=threads).fit(features)
        nearest = found.kneighbors(return_distance=False)
    else:
        nearest = _descend(features, count, seed, threads)
    rows = np.repeat(np.arange(n), nearest.shape[1])
    columns = nearest.ravel()
    real = (columns >= 0) & (columns != rows)
    directed = csr_matrix((np.ones(int(real.sum())), (rows[real], columns[real])), shape=(n, n))
    return csr_matrix((directed + directed.T) * 0.5)


def join_components(graph: csr_matrix, features: Features) -> tuple[csr_matrix, int]:
    """Make a symmetric graph connected; return it and its original number of components.

    Components are linked along the minimum spanning tree of their centres, each link a single
    edge of weight 0.5 between the members nearest to the other's centre. A connected graph
    has eigenvectors that do not depend on the solver, and links of single edges are
    cheap to cut again.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
    from scipy.spatial.distance import cdist

    count, component = connected_components(graph, directed=False)
    if count == 1:
        return graph, 1
    if count > MOST_COMPONENTS:
        raise DataError(
            f"features: the nearest neighbours of {len(features)} images fall into {count} separate groups, "
            f"more than {MOST_COMPONENTS}: are most images duplicates? Raise `neighbours`"
        )
    order = np.argsort(component, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(component))])
    members = [order[a:b] for a, b in pairwise(starts)]
    centres = np.stack([features[m].mean(axis=0, dtype=np.float64) for m in members])
    # The added 1 keeps coinciding centres apart from "no edge" and changes no spanning tree.
    tree = minimum_spanning_tree(cdist(centres, centres) + 1).tocoo()
    left = [_nearest(features, members[a], centres[b]) for a, b in zip(tree.row, tree.col, strict=True)]
    right = [_nearest(features, members[b], centres[a]) for a, b in zip(tree.row, tree.col, strict=True)]
    links = csr_matrix((np.full(2 * len(left), 0.5), (left + right, right + left)), shape=graph.shape)
    return csr_matrix(graph + links), int(count)


def _nearest(features: Features, members: NDArray[np.int64], point: NDArray[np.float64]) -> int:
    return int(members[np.square(features[members] - point).sum(axis=1).argmin()])


def _descend(features: Features, count: int, seed: int, threads: int) -> NDArray[np.int64]:
    from pynndescent import NNDescent

    # One more, as every image finds itself first.
    index = NNDescent(features, n_neighbors=count + 1, random_state=seed, n_jobs=threads)
    return np.asarray(index.neighbor_graph[0], np.int64)
