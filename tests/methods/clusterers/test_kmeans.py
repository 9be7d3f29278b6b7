from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from tests.methods import adapter, make_run, same_partition, to_cluster

FEATURES = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)


def test_equals_sklearn_and_states_the_inertia():
    run = make_run(3)
    found = adapter("clusterers", "kmeans", k=6, n_init=4).cluster(to_cluster(FEATURES), run)
    oracle = KMeans(6, n_init=4, max_iter=1000, random_state=3).fit(FEATURES)
    assert same_partition(found, oracle.labels_)
    centres = np.stack([FEATURES[found == c].mean(axis=0) for c in range(6)])
    assert run.facts["inertia"] == pytest.approx(np.square(FEATURES - centres[found]).sum(), rel=1e-3)
    assert run.facts["converged"] is True


def test_says_when_it_did_not_converge():
    run = make_run()
    adapter("clusterers", "kmeans", k=20, n_init=1, max_iter=1).cluster(to_cluster(FEATURES), run)
    assert run.facts["converged"] is False
