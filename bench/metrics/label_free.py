"""Scores that need no true classes: how tight clusters are, and how they go with day, bag or plate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.metrics.contingency import IntArray, contingency
from bench.metrics.information import information, normalized_mutual_information

SAMPLE = 10_000
"""Images looked at where all pairs count, drawn at random; all of them in smaller sets."""
_PERMUTATIONS = 999
_FEWEST = 2


def score_features(
    features: NDArray[np.float32], labels: IntArray, rng: np.random.Generator
) -> dict[str, float]:
    """Judge labels by the features they were found in; images with label -1 are left out.

    Returns
    -------
    `similarity_ratio`: mean cosine similarity of images with one label over that of images with two
    (Presberger et al.); `consensus`: share of images whose nearest other image has their label (what
    the patch-context study of RxRx1 calls consensus factor); `silhouette`: Rousseeuw 1987. What is
    undefined is left out.
    `consensus` and `silhouette` look at a random sample of `SAMPLE` images.
    """
    kept = np.flatnonzero(labels >= 0)
    found: dict[str, float] = {}
    if kept.size < _FEWEST or np.unique(labels[kept]).size < _FEWEST:
        return found
    ratio = similarity_ratio(features[kept], labels[kept])
    if ratio is not None:
        found["similarity_ratio"] = ratio
    if kept.size > SAMPLE:
        kept = np.sort(rng.choice(kept, SAMPLE, replace=False))
    x, y = features[kept].astype(np.float64), labels[kept]
    found["consensus"] = consensus(x, y)
    if _FEWEST <= np.unique(y).size < y.size:
        from sklearn.metrics import silhouette_score

        found["silhouette"] = float(silhouette_score(x, y))
    return found


def similarity_ratio(features: NDArray[np.float32], labels: IntArray) -> float | None:
    """Return mean cosine within labels / mean cosine between them, over unordered pairs.

    None where there are no such pairs or the mean between labels is not positive. O(n d).
    """
    x = features.astype(np.float64)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    own = np.einsum("ij,ij->i", x, x)
    codes = np.unique(labels, return_inverse=True)[1]
    sizes = np.bincount(codes)
    sums = np.zeros((sizes.size, x.shape[1]))
    np.add.at(sums, codes, x)
    within = (np.einsum("ij,ij->", sums, sums) - own.sum()) / 2
    everything = (float(sums.sum(0) @ sums.sum(0)) - own.sum()) / 2
    pairs = sizes.sum() * (sizes.sum() - 1) / 2
    inside = float((sizes * (sizes - 1) / 2).sum())
    if inside == 0 or inside == pairs:
        return None
    between = (everything - within) / (pairs - inside)
    return float(within / inside / between) if between > 0 else None


def consensus(features: NDArray[np.float64], labels: IntArray) -> float:
    """Return the share of images whose nearest other image (Euclidean) has their label."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(features).kneighbors(return_distance=False)
    return float(np.mean(labels[nearest[:, 0]] == labels))


def association(
    labels: IntArray,
    groups: Sequence[str | None],
    rng: np.random.Generator,
    permutations: int = _PERMUTATIONS,
) -> dict[str, float]:
    """Say how clusters go with a property of the images, e.g. the day they were taken.

    Images called noise and those without the property are left out.

    Returns
    -------
    `nmi`: normalised mutual information (arithmetic mean); `cramers_v`: Cramer's V in [0, 1], without
    correction of bias; `p_value`: of V under random permutations of the labels, (1 + as large) / (1 + all),
    so at least .001. Empty if either is the same for all images.
    """
    kept = np.array([g is not None for g in groups], bool) & (labels >= 0)
    names = sorted({g for g in groups if g is not None})
    position = {name: i for i, name in enumerate(names)}
    g = np.array([position[x] for x in groups if x is not None], np.int64)
    g = g[kept[[x is not None for x in groups]]]
    y = np.unique(labels[kept], return_inverse=True)[1].astype(np.int64)
    if y.size == 0 or y.max() == 0 or np.unique(g).size < _FEWEST:
        return {}
    table = contingency(g, y)
    rows, cols = table.row_sums[0], table.col_sums[0]
    counts = np.zeros((rows.size, cols.size))
    counts[table.rows, table.cols] = table.counts[0]
    v = _cramers_v(counts[None], rows, cols)[0]
    from scipy.stats import random_table

    as_large = 0
    for drawn in np.array_split(np.arange(permutations), max(1, permutations * counts.size // 10**7)):
        tables = random_table(rows, cols).rvs(drawn.size, random_state=rng)
        as_large += int(np.count_nonzero(_cramers_v(tables, rows, cols) >= v - 1e-12))
    return {
        "nmi": float(normalized_mutual_information(information(table))[0]),
        "cramers_v": float(v),
        "p_value": (1 + as_large) / (1 + permutations),
    }


def _cramers_v(tables: NDArray[np.float64], rows: IntArray, cols: IntArray) -> NDArray[np.float64]:
    n = rows.sum()
    expected = np.outer(rows, cols) / n
    chi2 = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    v: NDArray[np.float64] = np.sqrt(chi2 / (n * (min(rows.size, cols.size) - 1)))
    return v
