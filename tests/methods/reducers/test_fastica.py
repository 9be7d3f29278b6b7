from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import FastICA

from tests.methods import adapter, make_run


def reduce(features: Any, seed: int = 0, **parameters: Any) -> tuple[np.ndarray, dict[str, Any]]:
    run = make_run(seed)
    found = adapter("reducers", "fastica", **parameters).reduce(np.asarray(features, np.float32), run)
    return found, run.facts


def mixed(n: int = 2000, d: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two independent sources, the first much further from a Gaussian, and features that mix them."""
    rng = np.random.default_rng(seed)
    sources = np.stack([rng.exponential(size=n) - 1, rng.uniform(-1, 1, n) * np.sqrt(3)], axis=1)
    return sources, sources @ rng.normal(size=(2, d)) + rng.normal(size=d)


@pytest.mark.parametrize("fun", ["cube", "logcosh", "exp"])
def test_finds_the_sources_in_order_and_with_sign(fun: str) -> None:
    sources, features = mixed()
    found, facts = reduce(features, fun=fun)
    assert facts["converged"] is True
    assert facts["dimensions"] == 2
    correlation = np.corrcoef(found.T, sources.T)[:2, 2:]
    assert correlation[0, 0] > 0.98
    assert abs(correlation[1, 1]) > 0.98


def test_equals_sklearn_up_to_order_and_sign() -> None:
    features = np.random.default_rng(1).gamma(1.0, size=(500, 6)) @ np.diag([9, 7, 5, 2, 1, 0.5])
    found, facts = reduce(features, seed=3, dims=2)
    engine = FastICA(2, whiten="unit-variance", fun="cube", max_iter=3000, tol=1e-5, random_state=3)
    oracle = engine.fit_transform(features)
    correlation = np.abs(np.corrcoef(found.T, oracle.T)[:2, 2:])
    assert facts["converged"]
    np.testing.assert_allclose(np.sort(correlation.max(axis=0)), 1, atol=1e-3)


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_neither_the_start_nor_the_order_nor_the_sign_of_features_decides(seed: int) -> None:
    _, features = mixed(d=3)
    first, _ = reduce(features)
    other, _ = reduce(features, seed=seed)
    flipped, _ = reduce(-features[:, ::-1], seed=seed)
    np.testing.assert_allclose(other, first, atol=0.02)
    np.testing.assert_allclose(flipped, first, atol=0.02)


def test_is_a_rotation_of_the_whitened_principal_plane() -> None:
    features = np.random.default_rng(1).gamma(1.0, size=(300, 8)) @ np.diag([9, 7, 5, 4, 3, 2, 1, 0.5])
    found, _ = reduce(features)
    pca = adapter("reducers", "pca", dims=2, whiten=True)
    plane = pca.reduce(features.astype(np.float32), make_run())
    apart = [np.linalg.norm(x[:, None] - x[None], axis=2) for x in (found, plane)]
    np.testing.assert_allclose(apart[0], apart[1], atol=1e-3)
    np.testing.assert_allclose(np.cov(found.T), np.eye(2), atol=1e-4)


def test_an_iteration_cut_short_is_in_the_record_and_warned_of() -> None:
    features = np.random.default_rng(1).gamma(1.0, size=(300, 5))
    with pytest.warns(UserWarning, match="FastICA did not converge in 1 iterations to a tolerance of 1e-05"):
        found, facts = reduce(features, dims=4, max_iter=1)
    assert facts["converged"] is False
    assert facts["iterations"] == 1
    assert np.isfinite(found).all()


def test_degenerate_features_stay_finite() -> None:
    for features in (np.ones((5, 3)), np.ones((1, 3)), np.ones((2, 1)), [[0, 0], [0, 0], [1, 2]]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found, facts = reduce(features)
        assert found.shape == (len(features), 1)
        assert facts["dimensions"] == 1
        assert np.isfinite(found).all()
        assert "converged" not in facts  # one component needs no iteration


def test_the_same_seed_gives_the_same_bits() -> None:
    _, features = mixed(d=5, seed=2)
    np.testing.assert_array_equal(reduce(features, 7)[0], reduce(features, 7)[0])
