from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from tests.methods import adapter, blobs, make_run, same_partition, to_cluster


def run_on(features, **parameters):
    run = make_run()
    return adapter("clusterers", "ward", **parameters).cluster(to_cluster(features), run), run.facts


def test_equals_scipy():
    features = np.random.default_rng(0).normal(size=(150, 4))
    found, facts = run_on(features, k=7)
    oracle = fcluster(linkage(features.astype(np.float32), "ward"), 7, "maxclust")
    assert same_partition(found, oracle)
    assert facts == {"merges": "all pairs"}


def test_merging_neighbours_only():
    features, truth = blobs((60, 50, 40), distance=200.0)
    found, facts = run_on(features, k=3, full_up_to=100, neighbours=10)
    assert same_partition(found, truth)
    assert facts == {"merges": "neighbours only", "components": 3}
    # With everyone a neighbour, both ways are the same.
    noise = np.random.default_rng(0).normal(size=(80, 4))
    assert same_partition(run_on(noise, k=5, full_up_to=10, neighbours=79)[0], run_on(noise, k=5)[0])
