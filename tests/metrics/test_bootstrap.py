from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.bootstrap import interval, resamples
from bench.metrics.contingency import contingency
from tests.metrics.tables import noisy


def draws(labels, replicates, seed=0):
    table = contingency(*labels)
    parts = resamples(table, replicates, np.random.default_rng(seed))
    return table, np.concatenate([part.counts for part in parts])


@pytest.mark.parametrize("labels", [noisy(300, 5, 60), noisy(3000, 5, 6)], ids=["by image", "by cell"])
def test_resamples_are_multinomial(labels):
    table, counts = draws(labels, 20_000)
    n, p = table.n, table.counts[0] / table.n
    assert counts.shape == (20_000, table.rows.size)
    assert (counts.sum(axis=1) == n).all()
    error = 6 / np.sqrt(20_000)
    deviation = np.sqrt(n * p * (1 - p))
    assert (np.abs(counts.mean(axis=0) - n * p) < error * deviation).all()
    covariance = np.cov(counts.T) / np.outer(deviation, deviation)
    expected = n * (np.diag(p) - np.outer(p, p)) / np.outer(deviation, deviation)
    assert np.abs(covariance - expected).max() < 5 * error


def test_resamples_follow_the_generator_alone():
    labels = noisy(500, 5, 60)
    assert np.array_equal(draws(labels, 50)[1], draws(labels, 50)[1])
    assert not np.array_equal(draws(labels, 50)[1], draws(labels, 50, seed=1)[1])


def test_an_interval_is_the_spread_around_the_estimate():
    replicates = np.linspace(0.2, 0.4, 101)
    assert interval(0.8, replicates, 0.9, 0, 1) == pytest.approx((0.71, 0.89))


def test_an_interval_stays_in_range_and_contains_the_estimate():
    replicates = np.linspace(0.2, 0.4, 101)
    assert interval(0.95, replicates, 0.9, 0, 1) == pytest.approx((0.86, 1))
    skewed = np.array([0.0] * 99 + [1.0])
    low, high = interval(0.5, skewed, 0.9, 0, 1)
    assert low <= 0.5 <= high
    assert interval(1.0, np.ones(10), 0.95, 0, 1) == (1, 1)
