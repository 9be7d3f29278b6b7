import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.nn.schedules import Cosine, Linear


def test_a_warm_up_rises_in_a_line_and_half_a_cosine_falls() -> None:
    values = [Cosine(1.0, 0.1, warmup=0.1).at(s, 101) for s in range(101)]
    assert values[:12] == pytest.approx([s / 11 for s in range(12)])
    assert max(values) == values[11] == 1.0
    middle = 11 + (100 - 11) / 3
    share = (30 - 11) / (100 - 11)
    assert values[30] == pytest.approx(0.1 + 0.45 * (1 + math.cos(math.pi * share)))
    assert middle < 100
    assert values[-1] == pytest.approx(0.1)


@given(st.integers(1, 300), st.floats(0, 0.99), st.floats(0, 1), st.floats(0, 1))
def test_any_number_of_steps_stays_between_its_ends(
    steps: int, warmup: float, peak: float, end: float
) -> None:
    values = [Cosine(peak, end, warmup).at(s, steps) for s in range(steps)]
    assert all(min(0.0, end, peak) - 1e-12 <= v <= max(end, peak) + 1e-12 for v in values)
    if steps == 1:
        assert values == [peak]
    elif math.ceil(warmup * steps) < steps - 1:
        assert values[-1] == pytest.approx(end)


def test_one_epoch_and_a_hundred_have_the_same_shape() -> None:
    short = [Cosine(1, 0, 0.1).at(s, 50) for s in range(50)]
    long = [Cosine(1, 0, 0.1).at(s, 5000) for s in range(5000)]
    assert short == pytest.approx(long[::100], abs=0.03)


def test_a_line_ends_where_its_share_does() -> None:
    values = [Linear(0.04, 0.07, 0.5).at(s, 21) for s in range(21)]
    assert values[0] == 0.04
    assert values[5] == pytest.approx(0.055)
    assert values[10:] == [0.07] * 11
    assert Linear(1.0, 2.0, 0.0).at(0, 10) == 2.0
    assert Linear(1.0, 2.0).at(0, 1) == 2.0
