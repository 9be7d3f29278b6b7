"""Labels that the tests of the metrics share."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

PAIRS_OF_LABELS = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n).map(np.array),
        st.lists(st.integers(0, 7), min_size=n, max_size=n).map(np.array),
    )
)
"""Truth and prediction, from one to 25 images."""


def noisy(n, classes, clusters, agree=0.6, seed=0):
    """Return skewed classes and clusters that agree on about a share `agree` of the images."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, n, p=rng.dirichlet(np.ones(classes)))
    nonsense = rng.choice(clusters, n, p=rng.dirichlet(np.ones(clusters)))
    return truth, np.where(rng.random(n) < agree, truth % clusters, nonsense)


def extreme(n=60, seed=0):
    """Yield pairs of labels at the edges: one cluster, each alone, nearly so, one image."""
    rng = np.random.default_rng(seed)
    one, each, five = np.zeros(n, int), np.arange(n), rng.integers(0, 5, n)
    nearly_one, nearly_each = (np.arange(n) == 0).astype(int), np.maximum(np.arange(n), 1)
    kinds = (one, each, five, nearly_one, nearly_one[::-1].copy(), nearly_each, nearly_each[::-1].copy())
    for truth in kinds:
        for pred in kinds:
            yield truth, pred
    yield np.zeros(1, int), np.zeros(1, int)
    yield np.array([0, 0]), np.array([0, 1])
    yield np.array([0, 1]), np.array([1, 0])
