from __future__ import annotations

import numpy as np
import pytest

from bench.errors import DataError
from bench.interfaces import ToCluster
from tests.methods import adapter, make_run


@pytest.mark.parametrize("n", [1, 2, 7])
def test_all_in_one_and_each_alone(n):
    for name, clusters in (("all_in_one", 1), ("each_alone", n)):
        clusterer = adapter("clusterers", name)
        found = clusterer.cluster(ToCluster(n=n), make_run())
        assert found.dtype == np.int64
        assert found.shape == (n,)
        assert len(set(found.tolist())) == clusters
        assert clusterer.takes == ("nothing",)
        assert not clusterer.seeded
        assert not clusterer.uses_labels


def test_random_sizes_deals_the_labels_out_by_the_seed():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    clusterer = adapter("clusterers", "random_sizes")
    assert clusterer.seeded
    assert clusterer.uses_labels
    assert clusterer.takes == ("nothing",)
    a, b, c = (clusterer.cluster(ToCluster(n=100, labels=labels), make_run(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    assert np.bincount(a).tolist() == [50, 30, 20]
    agreement = [
        (clusterer.cluster(ToCluster(n=100, labels=labels), make_run(s)) == labels).mean() for s in range(200)
    ]
    assert np.mean(agreement) == pytest.approx(0.5**2 + 0.3**2 + 0.2**2, abs=0.02)


def test_random_sizes_fills_in_unknown_labels():
    labels = np.array([0, 1, 1, -1, -1, -1])
    found = adapter("clusterers", "random_sizes").cluster(ToCluster(n=6, labels=labels), make_run())
    assert set(found.tolist()) == {0, 1}
    assert (np.bincount(found) >= [1, 2]).all()


@pytest.mark.parametrize("labels", [None, np.full(4, -1)])
def test_random_sizes_needs_labels(labels):
    with pytest.raises(DataError, match="no image has a label"):
        adapter("clusterers", "random_sizes").cluster(ToCluster(n=4, labels=labels), make_run())
