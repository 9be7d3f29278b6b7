from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from bench.nn.reliability import fit_platt, recalibrated, reliability


def matrix(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    p = np.triu(rng.random((n, n)), 1).astype(np.float32)
    return p + p.T + np.eye(n, dtype=np.float32)


@given(st.lists(st.integers(-1, 3), min_size=3, max_size=30), st.integers(0, 50))
def test_the_curve_is_that_of_scikit_learn_over_the_unordered_pairs(labels, seed) -> None:
    truth, p = np.array(labels), matrix(len(labels), seed)
    known = np.flatnonzero(truth >= 0)
    a, b = (known[i] for i in np.triu_indices(known.size, 1))
    found: Any = reliability(truth, p)
    assert sum(found["pairs"]) == a.size
    if a.size:
        joined, predicted = calibration_curve(truth[a] == truth[b], p[a, b], n_bins=10)
        np.testing.assert_allclose(found["joined"], joined, atol=1e-6)
        np.testing.assert_allclose(found["predicted"], predicted, atol=1e-6)
        assert found["ece"] == pytest.approx(
            float(np.average(abs(joined - predicted), weights=found["pairs"])), abs=1e-5
        )


def test_slope_and_offset_are_those_of_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 3, 5000)
    joined = rng.random(5000) < 1 / (1 + np.exp(-(0.5 * odds - 1)))
    slope, offset = fit_platt(odds, joined)
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(odds[:, None], joined)
    assert slope == pytest.approx(oracle.coef_[0, 0], rel=0.01)
    assert offset == pytest.approx(oracle.intercept_[0], rel=0.01)


def test_calibration_makes_over_confident_probabilities_reliable() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 120)
    same = truth[:, None] == truth
    z = np.where(same, 1.5, -1.5) + rng.normal(0, 2, same.shape)
    z = 4 * (np.triu(z, 1) + np.triu(z, 1).T)
    p = (1 / (1 + np.exp(-z))).astype(np.float32)
    np.fill_diagonal(p, 1)
    a, b = np.triu_indices(120, 1)
    clipped = np.clip(p[a, b].astype(float), 1e-6, 1 - 1e-6)
    after = recalibrated(p, *fit_platt(np.log(clipped / (1 - clipped)), same[a, b]))
    before: Any = reliability(truth, p)
    now: Any = reliability(truth, after)
    assert now["ece"] < 0.3 * before["ece"]
    assert (np.diag(after) == 1).all()
    np.testing.assert_array_equal(after, after.T)


@pytest.mark.parametrize("joined", [[True, True], [False, False], []])
def test_pairs_of_one_kind_change_nothing(joined) -> None:
    assert fit_platt(np.array([0.3, 2.0][: len(joined)]), np.array(joined, bool)) == (1.0, 0.0)


def test_pairs_told_apart_without_an_error_give_finite_numbers() -> None:
    slope, offset = fit_platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([False, False, True, True]))
    assert np.isfinite([slope, offset]).all()
    assert slope > 0
