"""Steps among noise: the test is exact, alarms are rare whatever the noise, a step of 5 % is found."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.regression.steps import ALPHA, LASTING, MEMORY, WINDOW, common, nights_needed, p_value, walk

SERIES = 50
EACH = ALPHA / SERIES
NEEDED = nights_needed(SERIES)
Noise = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


RUN_NOISE = 0.0125
"""Deviation of the time of one run, relative."""


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Student's t with 3 degrees of freedom, scaled to deviation 1."""
    return rng.standard_t(3, shape) / math.sqrt(3)


def delays(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.exponential(size=shape)


def disturbed(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """One run in twenty is much slower, by 8 deviations on average."""
    return rng.standard_normal(shape) + (rng.random(shape) < 0.05) * rng.exponential(8, shape)


def three_runs(noise: Noise, seed: int, nights: int, series: int) -> NDArray[np.float64]:
    """Return logarithms of the least of three runs a night, shape (nights, series)."""
    rng = np.random.default_rng(seed)
    return np.asarray(RUN_NOISE * noise(rng, (3, nights, series)).min(0))


KINDS = [normal, heavy, delays, disturbed]


@pytest.mark.parametrize("n", [3, 7, 20])
def test_the_p_value_is_that_of_an_exact_mann_whitney_test(n: int):
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(n)
    before, window = rng.random((n, 30)), rng.random((WINDOW, 30)) + 0.3
    got = p_value(window, before, np.ones((n, 30), bool))
    want = mannwhitneyu(window, before, alternative="greater", method="exact", axis=0).pvalue
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_the_p_value_holds_exactly_over_all_orders():
    """Of all ways to choose the three last of nine nights, at most a share p has a p-value of p or less."""
    values = np.arange(9.0)
    found = []
    for chosen in combinations(range(9), WINDOW):
        rest = np.delete(values, chosen)[:, None]
        found.append(float(p_value(values[list(chosen)][:, None], rest, np.ones(rest.shape, bool))[0]))
    for p in set(found):
        assert np.mean(np.array(found) <= p) == pytest.approx(p)


@pytest.mark.slow
@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=12), st.lists(st.integers(0, 5), min_size=3, max_size=3)
)
def test_ties_only_make_the_p_value_larger(before: list[int], window: tuple[int, int, int]):
    usable = np.ones((len(before), 1), bool)
    b, w = np.array(before, float)[:, None], np.array(window, float)[:, None]
    tied = p_value(w, b, usable)[0]
    apart = p_value(w + 0.5, b, usable)[0]  # ties go to the window
    assert 0 < apart <= tied <= 1


def test_nights_that_are_not_usable_do_not_count():
    rng = np.random.default_rng(0)
    before, window = rng.random((20, 4)), rng.random((WINDOW, 4))
    usable = np.zeros((20, 4), bool)
    usable[:8] = True
    np.testing.assert_array_equal(p_value(window, before, usable), p_value(window, before[:8], usable[:8]))


@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("runs", [1, 3])
def test_false_alarms_are_below_one_percent_of_nights(noise: Noise, runs: int):
    """50 series, 1,000 nights without any change."""
    nights, repeats = NEEDED + WINDOW + 24, 40
    if runs == 3:
        logs = three_runs(noise, 3, nights, repeats * SERIES)
    else:
        logs = RUN_NOISE * noise(np.random.default_rng(3), (nights, repeats * SERIES))
    alarms = walk(logs, EACH).verdict[NEEDED + WINDOW - 1 :] > 0
    assert alarms.shape[0] * repeats >= 1000
    assert alarms.reshape(-1, repeats, SERIES).any(-1).mean() < 0.01


@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("history", [NEEDED, MEMORY])
def test_a_step_of_five_percent_is_found_within_three_nights(noise: Noise, history: int):
    logs = three_runs(noise, 4, history + WINDOW, 1500)
    logs[history:] += math.log(1.05)
    assert (walk(logs, EACH).verdict[-1] > 0).mean() >= 0.9


def test_one_night_and_two_nights_raise_no_alarm():
    rng = np.random.default_rng(5)
    for disturbed_nights in (1, 2):
        logs = 0.005 * rng.standard_normal((NEEDED + 12, SERIES))
        logs[NEEDED + 4 : NEEDED + 4 + disturbed_nights] += 1.0
        assert not walk(logs, EACH).verdict.any()


def test_a_step_stays_worse_until_it_is_undone():
    logs = 0.005 * np.random.default_rng(6).standard_normal((NEEDED + 60, 1))
    step = NEEDED + 10
    logs[step : step + 30] += 0.1
    found = walk(logs, EACH).verdict[:, 0]
    assert not found[:step].any()
    assert (found[step + WINDOW - 1 : step + 30] == 1).all()
    assert not found[step + 30 :].any()


def test_a_lasting_improvement_becomes_the_level():
    """What is slower than the improved level is found, though it is no slower than long ago."""
    logs = 0.005 * np.random.default_rng(7).standard_normal((NEEDED + 60, 1))
    step, back = NEEDED + 10, NEEDED + 30
    logs[step:back] -= 0.2
    found = walk(logs, EACH).verdict[:, 0]
    assert (found[step + WINDOW - 1 : step + WINDOW - 1 + LASTING] == -1).all()
    assert not found[step + WINDOW - 1 + LASTING : back].any()
    assert found[back + WINDOW - 1] == 1


def test_a_short_history_finds_only_large_steps():
    logs = np.zeros((9, 2)) + 0.001 * np.random.default_rng(8).standard_normal((9, 2))
    logs[6:] += np.log([1.4, 1.6])
    assert walk(logs, EACH).verdict[-1].tolist() == [0, 1]


def test_steps_below_two_percent_are_of_no_interest():
    logs = 1e-4 * np.random.default_rng(9).standard_normal((MEMORY + 3, 1))
    logs[MEMORY:] += 0.015
    assert walk(logs, EACH).verdict[-1] == 0


def test_missing_nights_before_a_series_change_nothing():
    logs = 0.01 * np.random.default_rng(10).standard_normal((50, 3))
    longer = np.concatenate([np.full((20, 3), np.nan), logs])
    got, want = walk(longer, EACH), walk(logs, EACH)
    np.testing.assert_array_equal(got.verdict[20:], want.verdict)
    np.testing.assert_array_equal(got.nights[-1], want.nights[-1])


def test_a_slow_night_of_the_whole_machine_is_shared_by_all():
    rng = np.random.default_rng(11)
    slow = 0.05 * rng.standard_normal(40)
    logs = rng.random(20) + slow[:, None] + 0.002 * rng.standard_normal((40, 20))
    got = common(logs)
    np.testing.assert_allclose(got - got.mean(), slow - slow.mean(), atol=0.004)
    assert not common(logs[:, :7]).any()
    logs[3, :15] = np.nan  # too few of that night
    assert common(logs)[3] == 0


def test_nights_needed():
    for series in (1, 10, 50, 1000):
        n = nights_needed(series)
        assert series / math.comb(n + WINDOW, WINDOW) <= ALPHA
        assert n == WINDOW or series / math.comb(n - 1 + WINDOW, WINDOW) > ALPHA
