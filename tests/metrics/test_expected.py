from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from bench.metrics.contingency import contingency
from bench.metrics.expected import expected_information
from tests.metrics.tables import extreme, noisy

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def every_term(a_sums, b_sums, n):
    """Equation 24a of Vinh, Epps and Bailey, term by term."""
    total = 0.0
    for a, b in itertools.product(a_sums, b_sums):
        for x in range(max(1, a + b - n), min(a, b) + 1):
            total += x / n * math.log2(n * x / (a * b)) * hypergeom.pmf(x, n, a, b)
    return total


@settings(max_examples=30)
@given(SIZES, SIZES)
def test_equal_to_the_sum_of_all_terms(a, b):
    n = max(sum(a), sum(b))
    a, b = ([*x, *[n - sum(x)] * (sum(x) < n)] for x in (a, b))
    found = expected_information(np.array([a]), np.array([b]), n)[0]
    assert found == pytest.approx(every_term(a, b, n), rel=1e-11, abs=1e-13)


def test_equal_to_the_mean_over_all_permutations():
    truth, pred = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 2])
    table = contingency(truth, pred)

    def bits(t, p):
        joint = np.array([[np.mean((t == i) & (p == j)) for j in range(3)] for i in range(3)])
        ratio = joint / np.outer(joint.sum(1), joint.sum(0))
        return (joint * np.log2(np.where(joint > 0, ratio, 1))).sum()

    mean = np.mean([bits(truth, np.array(p)) for p in itertools.permutations(pred)])
    assert expected_information(table.row_sums, table.col_sums, 6)[0] == pytest.approx(mean, abs=1e-14)


@pytest.mark.parametrize("size", [5, 300, 500_000, 999_999])
def test_large_sizes_lose_no_mass(size):
    n = 1_000_000
    sums = np.array([[size, n - size]])
    x = np.arange(max(0, 2 * size - n), size + 1)
    mean = size * size / n
    p = hypergeom.pmf(x, n, size, size)
    one_cell = (p * (x * np.log2(np.maximum(x, 1) / mean))).sum() / n
    # information of two by two tables with equal margins: all cells follow from the first
    others = [(size, n - size), (n - size, size), (n - size, n - size)]
    values = (size - x, size - x, n - 2 * size + x)
    rest = sum(
        (p * v * np.log2(np.maximum(v, 1) * n / (a * b))).sum() / n
        for v, (a, b) in zip(values, others, strict=True)
    )
    found = expected_information(sums, sums, n)[0]
    assert found == pytest.approx(one_cell + rest, abs=1e-10)


@pytest.mark.parametrize(
    "labels",
    [*extreme(), noisy(3772, 5, 60), noisy(20_000, 121, 121), noisy(200_000, 2, 3), noisy(1000, 40, 700)],
)
def test_interpolation_is_close_enough_for_intervals(labels):
    table = contingency(*labels)
    sums = table.row_sums, table.col_sums
    exact = expected_information(*sums, table.n)[0]
    assert expected_information(*sums, table.n, exact=False)[0] == pytest.approx(exact, rel=2e-3, abs=1e-12)


@given(st.integers(1, 3000), st.data())
def test_sizes_up_to_32_are_not_interpolated(n, data):
    size = data.draw(st.integers(1, min(n, 32)))
    sums = np.array([[size, *[1] * (n - size)]])
    exact = expected_information(sums, sums, n)
    assert expected_information(sums, sums, n, exact=False) == pytest.approx(exact, rel=1e-12, abs=1e-14)
