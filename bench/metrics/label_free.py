"""Scores that need no true classes: how tight clusters are, and their association with day, bag or plate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.metrics.contingency import IntArray, contingency
from bench.metrics.metric import Metric
from bench.metrics.names import METRICS, SHIPPED, taking
from bench.metrics.tables import Tables, value

SAMPLE = 10_000
"""Size of the random sample where all pairs count; smaller sets are used whole."""
_PERMUTATIONS = 999
_FEWEST = 2


class LabelledFeatures:
    """What metrics of labels in features are computed from: the images whose label is not -1.

    Everything is computed when first asked for, and once; do not write into the arrays.
    """

    def __init__(self, features: NDArray[np.float32], labels: IntArray, rng: np.random.Generator) -> None:
        rows = np.flatnonzero(labels >= 0)
        self.features: NDArray[np.float32] = features[rows]
        """Shape (n, d)."""
        self.labels: IntArray = labels[rows]
        """Shape (n,)."""
        self._rng = rng

    @cached_property
    def sample(self) -> tuple[NDArray[np.float64], IntArray]:
        """Features and labels of `SAMPLE` images drawn at random, for what looks at all pairs; or of all."""
        rows = np.arange(self.labels.size)
        if rows.size > SAMPLE:
            rows = np.sort(self._rng.choice(rows, SAMPLE, replace=False))
        return self.features[rows].astype(np.float64), self.labels[rows]


def score_features(
    features: NDArray[np.float32],
    labels: IntArray,
    rng: np.random.Generator,
    extra: Sequence[Metric] = (),
) -> dict[str, float]:
    """Judge labels by the features they were found in; images with label -1 are left out.

    Returns
    -------
    Every shipped metric that takes `features`, and those of `extra`; what is undefined is left out, and all
    are with fewer than two labels.
    """
    x = LabelledFeatures(features, labels, rng)
    if np.unique(x.labels).size < _FEWEST:
        return {}
    metrics = [*taking(SHIPPED.values(), "features").values(), *extra]
    found = {m.name: m(x) for m in metrics}
    return {name: value for name, value in found.items() if value is not None}


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


def silhouette(features: NDArray[np.float64], labels: IntArray) -> float | None:
    """Return the mean silhouette coefficient (Rousseeuw 1987); None unless labels are 2 to n - 1."""
    from sklearn.metrics import silhouette_score

    if not _FEWEST <= np.unique(labels).size < labels.size:
        return None
    return float(silhouette_score(features, labels))


def consensus(features: NDArray[np.float64], labels: IntArray) -> float:
    """Return the share of images whose nearest other image (Euclidean) has their label."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(features).kneighbors(return_distance=False)
    return float(np.mean(labels[nearest[:, 0]] == labels))


class GroupedLabels:
    """What metrics of clusters and a property of the images are computed from: those that have both.

    Parameters
    ----------
    labels : int64, shape (n,); images called noise, -1, are left out.
    groups : the property of each image; images without it are left out.
    rng, permutations : of `p_value`.
    """

    def __init__(
        self, labels: IntArray, groups: Sequence[str | None], rng: np.random.Generator, permutations: int
    ) -> None:
        both = np.array([g is not None for g in groups], bool) & (labels >= 0)
        names = sorted({g for g in groups if g is not None})
        position = {name: i for i, name in enumerate(names)}
        g = np.array([position[x] for x in groups if x is not None], np.int64)
        self.groups: IntArray = g[both[[x is not None for x in groups]]]
        self.labels: IntArray = np.unique(labels[both], return_inverse=True)[1].astype(np.int64)
        self._rng, self._permutations = rng, permutations

    @property
    def varied(self) -> bool:
        """Whether neither is the same for all images."""
        return self.labels.size > 0 and self.labels.max() > 0 and np.unique(self.groups).size >= _FEWEST

    @cached_property
    def tables(self) -> Tables:
        """Their contingency table: groups by clusters."""
        return Tables(contingency(self.groups, self.labels))

    @cached_property
    def cramers_v(self) -> float:
        """Cramer's V in [0, 1], without correction of bias."""
        t = self.tables
        rows, cols = t.row_sums[0], t.col_sums[0]
        counts = np.zeros((rows.size, cols.size))
        counts[t.rows, t.cols] = t.counts[0]
        return float(_cramers_v(counts[None], rows, cols)[0])

    @cached_property
    def p_value(self) -> float:
        """Of V under random permutations of the labels: (1 + as large) / (1 + all), so at least .001."""
        from scipy.stats import random_table

        rows, cols = self.tables.row_sums[0], self.tables.col_sums[0]
        pieces = max(1, self._permutations * rows.size * cols.size // 10**7)
        as_large = 0
        for drawn in np.array_split(np.arange(self._permutations), pieces):
            tables = random_table(rows, cols).rvs(drawn.size, random_state=self._rng)
            as_large += int(np.count_nonzero(_cramers_v(tables, rows, cols) >= self.cramers_v - 1e-12))
        return (1 + as_large) / (1 + self._permutations)


def association(
    labels: IntArray,
    groups: Sequence[str | None],
    rng: np.random.Generator,
    permutations: int = _PERMUTATIONS,
) -> dict[str, float]:
    """Measure the association of clusters with a property of the images, e.g. the day they were taken.

    Images called noise and those without the property are left out.

    Returns
    -------
    `nmi`, and every shipped metric that takes `groups`. Empty if either is the same for all images.
    """
    grouped = GroupedLabels(labels, groups, rng, permutations)
    if not grouped.varied:
        return {}
    metrics = taking(SHIPPED.values(), "groups")
    found = {name: m(grouped) for name, m in metrics.items()}
    return {"nmi": float(value(METRICS["nmi"], grouped.tables)[0]), **found}


def _cramers_v(tables: NDArray[np.float64], rows: IntArray, cols: IntArray) -> NDArray[np.float64]:
    n = rows.sum()
    expected = np.outer(rows, cols) / n
    chi2 = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    v: NDArray[np.float64] = np.sqrt(chi2 / (n * (min(rows.size, cols.size) - 1)))
    return v
