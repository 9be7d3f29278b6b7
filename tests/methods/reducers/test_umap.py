from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from bench.errors import DataError
from tests.methods import adapter, blobs, make_run


def reduce(features, seed=0, **parameters):
    run = make_run(seed)
    return adapter("reducers", "umap", **parameters).reduce(np.asarray(features, np.float32), run), run.facts


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:n_jobs value")
def test_keeps_clusters_apart_and_follows_the_seed():
    features, truth = blobs((60, 50, 40), dims=10)
    found, facts = reduce(features, seed=1, n_neighbors=15)
    assert found.shape == (150, 2)
    assert found.dtype == np.float32
    nearest = np.square(found[:, None] - found[None]).sum(axis=-1) + np.diag(np.full(150, np.inf))
    assert adjusted_rand_score(truth, truth[nearest.argmin(axis=1)]) == 1
    np.testing.assert_array_equal(found, reduce(features, seed=1, n_neighbors=15)[0])
    assert not np.array_equal(found, reduce(features, seed=2, n_neighbors=15)[0])
    assert facts["n_jobs"] == 1
    assert facts["n_neighbors"] == 15


@pytest.mark.slow
@pytest.mark.parametrize(("n", "dims"), [(4, 1), (5, 2), (8, 5)])
def test_few_images_and_equal_images(n, dims):
    features = np.random.default_rng(0).normal(size=(n, 3))
    for given in (features, np.ones((n, 3))):
        found, facts = reduce(given, dims=dims)
        assert found.shape == (n, dims)
        assert np.isfinite(found).all()
        assert facts["n_neighbors"] == n - 1


@pytest.mark.slow
def test_too_few_images():
    with pytest.raises(DataError, match="at least 5"):
        reduce(np.zeros((4, 3)))
