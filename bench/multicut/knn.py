"""Features to multicut costs: all pairs of few images, selected pairs among many.

Nearest neighbours alone would not suffice: nearly all of them are joins, absent pairs cost nothing, and so
one false neighbour would join two classes. As many random pairs, nearly all cuts, hold them apart.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.multicut.calibration import Calibration, from_labelled_pairs, without_labels
from bench.multicut.instance import DenseCosts, Instance, SparseCosts

Metric = Literal["cosine", "euclidean"]

DENSE_LIMIT = 4000
"""Images up to which all pairs get a cost (64 MB in float32)."""
EXACT_LIMIT = 20_000
"""Images up to which nearest neighbours are searched exactly."""
SAMPLE = 200_000
"""Random pairs that a calibration without labels uses."""


class LabelledPairs(NamedTuple):
    """Pairs of images known to show the same class or not."""

    i: NDArray[np.integer]  # (k,)
    j: NDArray[np.integer]  # (k,)
    same: NDArray[np.bool_]  # (k,)
    prior: float | None = None
    """Share of joins among all pairs of images, if it differs from that among these."""


def features_to_costs(
    features: NDArray[Any],
    metric: Metric = "cosine",
    *,
    labelled: LabelledPairs | None = None,
    neighbours: int = 15,
    dense_limit: int = DENSE_LIMIT,
    seed: int = 0,
) -> Instance:
    """Give pairs of images the calibrated log-odds that they show one class.

    Parameters
    ----------
    features : float, shape (n, d)
    metric : similarity is the cosine, or minus the Euclidean distance.
    labelled : pairs to calibrate with. None: see `calibration.without_labels` for what is assumed then.
    neighbours : nearest neighbours per image, and random other images, for more than `dense_limit` images.
    dense_limit : images up to which the instance is a complete graph.
    seed : of the random pairs and of the approximate search.

    Returns
    -------
    Instance with float32 costs.

    Raises
    ------
    DataError : features not (n, d), empty or not finite; labels of images that do not exist; no
        visible separation.
    """
    x = _checked(features, metric)
    n = len(x)
    if neighbours < 1:
        raise DataError(f"neighbours {neighbours} must be at least 1")
    if labelled is not None:
        _check_labelled(labelled, n)
        known = pair_similarity(x, labelled.i, labelled.j, metric)
        calibration = from_labelled_pairs(known, labelled.same, labelled.prior)
    elif n < 3:
        raise DataError(f"{n} images are too few to calibrate without labelled pairs")
    dense = n <= max(dense_limit, neighbours)
    if labelled is None or not dense:
        near, similarity = nearest_neighbours(x, 1 if dense else neighbours, metric, seed)
    rng = np.random.default_rng(seed)
    if labelled is None:
        sample = _random_pairs(rng, rng.integers(0, n, SAMPLE), n)
        calibration = without_labels(pair_similarity(x, *sample, metric), similarity[:, 0])
    if dense:
        return _all_pairs(x, metric, calibration)
    i = np.repeat(np.arange(n), neighbours)
    return _edges(
        x, np.append(i, i), np.append(near.ravel(), _random_pairs(rng, i, n)[1]), metric, calibration
    )


def pair_similarity(x: NDArray[np.float32], i: Any, j: Any, metric: Metric) -> NDArray[np.float32]:
    """Return the similarity of x[i[k]] and x[j[k]]; rows of x have unit length if the metric is cosine."""
    blocks = [slice(start, start + 8192) for start in range(0, len(i), 8192)]
    if metric == "cosine":
        parts = [np.einsum("kd,kd->k", x[i[b]], x[j[b]]) for b in blocks]
    else:
        parts = [-np.linalg.norm(x[i[b]] - x[j[b]], axis=1) for b in blocks]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def nearest_neighbours(
    x: NDArray[np.float32], k: int, metric: Metric, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k nearest other rows of x, most similar first, and their similarities; (n, k) each.

    Exact up to `EXACT_LIMIT` rows, by NN-descent (Dong et al., 2011) beyond, where about one in a
    hundred neighbours is missed.
    """
    n = len(x)
    if n > EXACT_LIMIT:
        from pynndescent import NNDescent

        index = NNDescent(x, metric="euclidean", n_neighbors=k + 1, random_state=seed, n_jobs=1)
        found = index.neighbor_graph[0].astype(np.int64)
        own = found == np.arange(n)[:, None]
        own[~own.any(1), -1] = True  # an image that misses itself: drop its farthest
        near = found[~own].reshape(n, k)
    else:
        near = np.empty((n, k), np.int64)
        for start in range(0, n, 512):
            block = similarity_matrix(x[start : start + 512], x, metric)
            rows = np.arange(len(block))
            block[rows, start + rows] = -np.inf
            best = np.argpartition(-block, k - 1, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(block, best, 1), axis=1, kind="stable")
            near[start : start + 512] = np.take_along_axis(best, order, 1)
    i = np.repeat(np.arange(n), k)
    return near, pair_similarity(x, i, near.ravel(), metric).reshape(n, k)


def similarity_matrix(a: NDArray[np.float32], b: NDArray[np.float32], metric: Metric) -> NDArray[np.float32]:
    """Return all similarities between rows of a and b, shape (len(a), len(b))."""
    product: NDArray[np.float32] = a @ b.T
    if metric == "cosine":
        return product
    square = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * product
    return np.asarray(-np.sqrt(np.maximum(square, 0)), np.float32)


def _all_pairs(x: NDArray[np.float32], metric: Metric, calibration: Calibration) -> DenseCosts:
    n = len(x)
    costs = np.empty((n, n), np.float32)
    for start in range(0, n, 512):
        costs[start : start + 512] = calibration.costs(similarity_matrix(x[start : start + 512], x, metric))
    costs = np.asarray(
        (costs + costs.T) / np.float32(2)
    )  # products of blocks round differently in the two directions
    np.fill_diagonal(costs, 0)
    return DenseCosts(costs)


def _edges(
    x: NDArray[np.float32],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    metric: Metric,
    calibration: Calibration,
) -> SparseCosts:
    n = len(x)
    key = np.unique(np.minimum(i, j) * n + np.maximum(i, j))
    i, j = key // n, key % n
    cost = calibration.costs(pair_similarity(x, i, j, metric))
    return SparseCosts(n, i, j, cost)


def _random_pairs(
    rng: np.random.Generator, i: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return i, (i + rng.integers(1, n, i.size)) % n


def _checked(features: NDArray[Any], metric: Metric) -> NDArray[np.float32]:
    if metric not in ("cosine", "euclidean"):
        raise DataError(f"metric {metric!r} is neither cosine nor euclidean")
    x = np.asarray(features)
    if x.ndim != 2 or not x.size or x.dtype.kind not in "fiu":
        raise DataError(f"features of shape {x.shape} and type {x.dtype} are not numbers of shape (n, d)")
    x = np.ascontiguousarray(x, np.float32)
    if not np.isfinite(x).all():
        raise DataError(f"features of image {int(np.argmin(np.isfinite(x).all(1)))} are not finite")
    if metric == "euclidean":
        return x
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(length > 0, length, 1), np.float32)


def _check_labelled(labelled: LabelledPairs, n: int) -> None:
    i, j, same = (np.asarray(a) for a in labelled[:3])
    if not i.shape == j.shape == same.shape or i.ndim != 1 or not i.size:
        raise DataError(
            f"labelled pairs i {i.shape}, j {j.shape}, same {same.shape} must have one length > 0"
        )
    if min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= n:
        raise DataError(f"labelled pairs name image {max(i.max(), j.max())}, but the images are 0 to {n - 1}")
