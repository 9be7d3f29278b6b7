"""Intervals cover as often as they say, and tests agree with SciPy."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.report.tables.statistics import (
    holm,
    mean_interval,
    mid_ranks,
    normal,
    paired_t,
    student,
    two_sided_p,
    wilcoxon,
)

SEEDS = (3, 5, 10, 30)
VALUES = st.lists(st.floats(-1, 1), min_size=1, max_size=12)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.9999])
def test_quantiles_are_those_of_scipy(level: float) -> None:
    assert normal(level) == pytest.approx(stats.norm.ppf(0.5 + level / 2), rel=1e-12)
    for freedom in (1, 2, 3, 4, 5, 9, 29, 100, 999):
        assert student(level, freedom) == pytest.approx(stats.t.ppf(0.5 + level / 2, freedom), rel=1e-8)


@given(st.floats(-50, 50), st.integers(1, 200))
def test_p_of_student_is_that_of_scipy(t: float, freedom: int) -> None:
    expected = 2 * stats.t.sf(abs(t), freedom)  # near t = 0 it is off by up to 1e-11
    assert two_sided_p(t, freedom) == pytest.approx(expected, abs=1e-10)


# Coverage of the interval of a mean


@pytest.mark.parametrize("n", SEEDS)
def test_the_interval_covers_whatever_the_mix_of_seeds_and_images(n: int) -> None:
    """Exact, not simulated: given s, the chance to cover is Gauss's; s² is averaged over its quantiles."""
    order = np.arange(n) - (n - 1) / 2
    unit = order / order.std(ddof=1)
    quantiles = stats.chi2.ppf((np.arange(400) + 0.5) / 400, n - 1) / (n - 1)
    for share in (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0):
        images = math.sqrt(1 - share) * normal(0.95)
        halves = [
            mean_interval((unit * math.sqrt(q * share * n)).tolist(), images, images, 0.95)[2]
            for q in quantiles
        ]
        covered = 100 * (2 * np.mean(stats.norm.cdf(halves)) - 1)
        assert 94.2 < covered < 96.0, share


def simulated(n: int, seeds_sd: float, images: int | None, seed: int) -> float:
    """Return how often the interval covers the true score, of methods right on 70 % of all images.

    All seeds score the same images, drawn anew in each of 20,000 experiments (None: so many that
    they leave no doubt), and each adds a difference of its own. A record's interval is the percentile
    bootstrap over its images, which for a share is binomial.
    """
    rng = np.random.default_rng(seed)
    truth, trials = 0.7, 20_000
    shared = rng.binomial(images, truth, trials) / images if images else np.full(trials, truth)
    values = shared[:, None] + rng.normal(0, seeds_sd, (trials, n))
    below = above = np.zeros(trials)
    if images:
        below = shared - stats.binom.ppf(0.025, images, shared) / images
        above = stats.binom.ppf(0.975, images, shared) / images - shared
    covered = 0
    for v, b, a in zip(values.tolist(), below.tolist(), above.tolist(), strict=True):
        _, low, high = mean_interval(v, b, a, 0.95)
        covered += low - 1e-12 <= truth <= high + 1e-12
    return 100 * covered / trials


@pytest.mark.slow
@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize(
    ("seeds_sd", "images"),
    [(0.02, None), (0.0, 1000), (0.01, 1000), (0.05, 1000)],
    ids=["seeds only", "images only", "both", "both, mostly seeds"],
)
def test_simulated_coverage_is_95_percent(n: int, seeds_sd: float, images: int | None) -> None:
    own_error = 100 * math.sqrt(0.95 * 0.05 / 20_000)
    assert simulated(n, seeds_sd, images, seed=n) == pytest.approx(95, abs=1 + 3 * own_error)


def test_a_seed_by_image_interaction_only_widens() -> None:
    """Seeds that err on different images: the doubt is in both parts, so the interval covers more often."""
    rng = np.random.default_rng(0)
    trials, images, n = 4000, 500, 5
    values = rng.binomial(images, 0.7, (trials, n)) / images
    arms = 1.96 * np.sqrt(values * (1 - values) / images).mean(axis=1)
    found = [mean_interval(v, a, a, 0.95) for v, a in zip(values.tolist(), arms.tolist(), strict=True)]
    assert np.mean([low <= 0.7 <= high for _, low, high in found]) > 0.97


@given(VALUES, st.floats(0, 0.5), st.floats(0, 0.5))
def test_properties_of_the_interval(values: list[float], below: float, above: float) -> None:
    mean, low, high = mean_interval(values, below, above, 0.95)
    assert mean == pytest.approx(np.mean(values), abs=1e-12)
    assert low <= mean - below * (1 - 1e-9)
    assert high >= mean + above * (1 - 1e-9)
    mirrored = mean_interval([-v for v in values], above, below, 0.95)
    assert mirrored == pytest.approx((-mean, -high, -low), abs=1e-9)
    wider = mean_interval(values, below, above, 0.99)
    assert wider[1] <= low + 1e-12


# Tests


@given(st.lists(st.integers(-20, 20), min_size=6, max_size=14))
def test_wilcoxon_is_the_count_over_all_signs(values: list[int]) -> None:
    there = [v for v in values if v]
    if len(there) < 6:
        assert wilcoxon(values) is None
        return
    ranks = stats.rankdata(np.abs(there))
    signs = ((np.arange(2 ** len(there))[:, None] >> np.arange(len(there))) & 1) * 2 - 1
    sums = signs @ ranks
    own = abs(float(np.sign(there) @ ranks))
    expected = float(np.mean(np.abs(sums) >= own - 1e-9)) if own else 1.0
    assert wilcoxon(values) == pytest.approx(expected)


def test_wilcoxon_of_many_is_that_of_scipy() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 40)
    expected = stats.wilcoxon(values, method="approx", correction=False).pvalue
    assert wilcoxon(values.tolist()) == pytest.approx(expected, rel=1e-9)


def test_the_paired_t_test_is_that_of_scipy_and_refuses_too_few() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 7)
    assert paired_t(values.tolist()) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert paired_t([0.1, 0.2]) is None
    assert paired_t([0.1, 0.1, 0.1]) is None
    assert paired_t([0.3 - 0.1, 0.5 - 0.3, 0.4 - 0.2]) is None  # 0.2 but for rounding


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    """A hypothesis is rejected when Bonferroni rejects every set of hypotheses that holds it."""
    sets = [s for n in range(1, len(p) + 1) for s in combinations(range(len(p)), n)]
    for i, found in enumerate(holm(p)):
        wanted = max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s)
        assert found == pytest.approx(wanted, abs=1e-12)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_the_step_down_procedure(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for alpha in (0.01, 0.05, 0.2):
        order = sorted(range(len(p_values)), key=lambda i: p_values[i])
        rejected = set()
        for place, i in enumerate(order):
            if (len(p_values) - place) * p_values[i] > alpha:
                break
            rejected.add(i)
        assert {i for i, a in enumerate(adjusted) if a <= alpha} == rejected


@given(st.lists(st.integers(0, 5), max_size=10))
def test_mid_ranks_are_those_of_scipy(values: list[int]) -> None:
    assert mid_ranks(values) == (stats.rankdata(values).tolist() if values else [])
