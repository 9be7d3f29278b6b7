from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import Birch

from tests.methods import adapter, blobs, make_run, same_partition, to_cluster


def run_on(features, **parameters):
    run = make_run()
    return adapter("clusterers", "birch", **parameters).cluster(to_cluster(features), run), run.facts


def test_equals_sklearn_with_an_absolute_threshold():
    features = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    found, facts = run_on(features, k=5, threshold=0.5, threshold_unit="absolute")
    oracle = Birch(threshold=0.5, n_clusters=5).fit(
        features.astype(float) - features.mean(axis=0, dtype=float)
    )
    assert same_partition(found, oracle.labels_)
    assert facts["subclusters"] == len(oracle.subcluster_centers_)
    assert facts["threshold"] == 0.5
    assert facts["threshold_wanted"] == 0.5


def test_threshold_is_in_units_of_the_neighbour_distance():
    features = np.random.default_rng(1).normal(size=(300, 4))
    features[150:160] = features[0]  # copies have no distance to speak of
    distance = cdist(features, features)
    unit = np.median(np.where(distance > 1e-9, distance, np.inf).min(axis=1))
    for scale in (1e-3, 1.0, 1e3):
        found, facts = run_on(features * scale, k=5, threshold=0.7)
        assert facts["threshold"] == pytest.approx(0.7 * unit * scale, rel=1e-3)
        assert same_partition(found, run_on(features, k=5, threshold=0.7)[0])


@pytest.mark.slow
def test_tree_is_bounded_by_raising_the_threshold():
    features, truth = blobs((900, 800, 700), dims=30)
    found, facts = run_on(features, k=3, threshold=1e-3, max_subclusters=100)
    assert facts["subclusters"] <= 100
    assert facts["threshold"] > facts["threshold_wanted"]
    assert same_partition(found, truth)


def test_threshold_is_lowered_for_k_subclusters():
    features, truth = blobs((30, 30))
    found, facts = run_on(features, k=2, threshold=100)
    assert facts["threshold"] < facts["threshold_wanted"]
    assert same_partition(found, truth)


def test_warns_when_there_are_no_k_subclusters():
    with pytest.warns(UserWarning, match="2 subclusters for k = 3"):
        found, _ = run_on(np.repeat([[0.0], [1.0]], 10, axis=0), k=3)
    assert same_partition(found, np.repeat([0, 1], 10))


def test_threshold_is_bisected_between_too_many_and_too_few():
    # Images all about 31.6 apart: a pair has radius 15.8 and all together 22.4, less than a step away.
    features = np.random.default_rng(0).normal(size=(400, 500))
    found, facts = run_on(features, k=3, threshold=15.0, threshold_unit="absolute", max_subclusters=200)
    assert 3 <= facts["subclusters"] <= 200
    assert 15.0 < facts["threshold"] < 22.4
    assert len(set(found.tolist())) == 3
