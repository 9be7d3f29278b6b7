"""What holds for every clusterer of features."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import DataError
from tests.methods import adapter, blobs, make_run, same_partition, to_cluster

NAMES = ("kmeans", "spectral", "gmm", "birch", "ward")
UNSEEDED = {
    "birch": {},
    "ward": {},
    "hdbscan": {"min_samples": 3, "min_cluster_size": 10, "engine": "sklearn"},
}


def labels_of(name, features, seed=0, n_classes=None, **parameters):
    run = make_run(seed)
    found = adapter("clusterers", name, **parameters).cluster(to_cluster(features, n_classes), run)
    assert found.dtype == np.int64
    assert found.shape == (len(features),)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_finds_separated_clusters_in_any_order(name):
    features, truth = blobs((40, 25, 60, 30))
    found = labels_of(name, features, n_classes=4)
    assert same_partition(found, truth)
    order = np.random.default_rng(1).permutation(len(truth))
    assert same_partition(labels_of(name, features[order], k=4), truth[order])
    assert same_partition(labels_of(name, features * 1e-3 + 1, k=4), truth)
    assert found.min() >= 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:BIRCH")
@pytest.mark.parametrize("k", [1, 2, 3, 50])
@pytest.mark.parametrize(
    "features",
    [
        np.zeros((1, 1)),
        np.array([[1.0], [2.0]]),
        np.array([[1.0, 5.0], [2.0, 5.0], [9.0, 5.0]]),
        np.ones((3, 2)),
        np.ones((12, 1)),
        np.repeat(np.eye(3), 15, axis=0),
        np.full((20, 4), 1e6) + np.arange(20)[:, None],
    ],
    ids=["n1", "n2", "n3", "equal3", "equal12", "copies", "far"],
)
def test_tiny_and_degenerate_features(name, features, k):
    found = labels_of(name, features, k=k)
    assert found.min() >= 0
    assert len(set(found.tolist())) <= min(k, len(features))
    if name != "gmm" and k <= len(np.unique(features, axis=0)):
        assert len(set(found.tolist())) == k
    if k == 3 and len(features) == 45:
        assert same_partition(found, np.repeat(np.arange(3), 15))


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_labels(name):
    features = np.random.default_rng(0).normal(size=(300, 6))
    np.testing.assert_array_equal(
        labels_of(name, features, seed=7, k=9), labels_of(name, features, seed=7, k=9)
    )


@pytest.mark.parametrize("name", UNSEEDED)
def test_unseeded_ignore_the_seed(name):
    features = np.random.default_rng(0).normal(size=(300, 6))
    parameters = {**UNSEEDED[name], **({} if name == "hdbscan" else {"k": 9})}
    clusterer = adapter("clusterers", name, **parameters)
    assert not clusterer.seeded
    a, b = (clusterer.cluster(to_cluster(features), make_run(s)) for s in (0, 2**32 - 1))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["kmeans", "spectral", "gmm"])
def test_seeded_follow_the_seed(name):
    features = np.random.default_rng(0).normal(size=(300, 6))
    assert adapter("clusterers", name).seeded
    found = [labels_of(name, features, seed=s, k=9, n_init=1) for s in (0, 1, 2, 2**32 - 1)]
    assert any(not np.array_equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("name", NAMES)
def test_classes_need_labels(name):
    with pytest.raises(DataError, match="labelled"):
        labels_of(name, np.zeros((5, 2)))


@pytest.mark.parametrize("name", NAMES)
def test_features_are_left_alone(name):
    features, _ = blobs((20, 20))
    before = features.copy()
    features.setflags(write=False)
    labels_of(name, features, k=2)
    np.testing.assert_array_equal(features, before)
