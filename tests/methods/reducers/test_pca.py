from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from tests.methods import adapter, make_run

DATA = (np.random.default_rng(0).normal(size=(40, 8)) @ np.diag([9, 7, 5, 4, 3, 2, 1, 0.5]) + 100).astype(
    np.float32
)


def reduce(features, **parameters):
    run = make_run()
    return adapter("reducers", "pca", **parameters).reduce(np.asarray(features, np.float32), run), run.facts


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("data", [DATA, DATA[:6]])
def test_equals_sklearn(whiten, data):
    found, facts = reduce(data, dims=3, whiten=whiten)
    oracle = PCA(3, svd_solver="full", whiten=whiten).fit(data.astype(float))
    np.testing.assert_allclose(found, oracle.transform(data.astype(float)), atol=1e-4)
    assert facts["explained_variance"] == pytest.approx(oracle.explained_variance_ratio_.sum())


@settings(max_examples=30)
@given(st.floats(0.05, 0.99))
def test_fraction_keeps_the_fewest_that_explain_it(share):
    found, facts = reduce(DATA, dims=share)
    shares = np.cumsum(PCA().fit(DATA.astype(float)).explained_variance_ratio_)
    kept = found.shape[1]
    assert kept == facts["dimensions"]
    assert shares[kept - 1] >= share - 1e-9
    assert kept == 1 or shares[kept - 2] < share


def test_whole_dims_keep_distances():
    found, _ = reduce(DATA, dims=50)
    assert found.shape == (40, 8)
    assert np.linalg.norm(found[3] - found[9]) == pytest.approx(np.linalg.norm(DATA[3] - DATA[9]), rel=1e-5)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("dims", [2, 0.9])
def test_degenerate_features_stay_finite(whiten, dims):
    for features in (np.ones((5, 3)), np.ones((1, 3)), np.ones((2, 1)), [[0, 0], [0, 0], [1, 2]]):
        found, _ = reduce(features, dims=dims, whiten=whiten)
        assert np.isfinite(found).all()
        assert found.shape[0] == len(features)
        assert found.shape[1] >= 1
        assert abs(found).max() < 5


def test_whitening_drops_what_has_no_variance():
    flat = np.repeat(DATA[:, :2], 3, axis=1)
    found, facts = reduce(flat, dims=6, whiten=True)
    assert facts["dimensions"] == 2
    np.testing.assert_allclose(np.cov(found.T), np.eye(2), atol=1e-5)
