from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.multicut import costs_from_probabilities, greedy_dense, objective_dense
from bench.multicut.costs import renumber, thresholds_to_shifts
from tests.multicut import greedy_oracles as slow


def test_costs_are_log_odds_of_the_mean_of_both_directions() -> None:
    costs = costs_from_probabilities([[1, 0.9], [0.7, 1]])
    assert costs == pytest.approx(np.array([[0, np.log(4)], [np.log(4), 0]]))
    lower = costs_from_probabilities([[1, 0.9], [0.7, 1]], directions="min")
    assert lower[0, 1] == pytest.approx(np.log(7 / 3))


def test_certain_probabilities_are_clipped() -> None:
    costs = costs_from_probabilities(np.array([[1, 1, 0], [1, 1, 0.5], [0, 0.5, 1]]))
    assert costs[0, 1] == pytest.approx(13.8155, abs=1e-4)
    assert costs[0, 2] == pytest.approx(-13.8155, abs=1e-4)
    assert costs[1, 2] == 0


def test_a_prior_shifts_the_log_odds_and_a_threshold_undoes_it() -> None:
    p = np.array([[1, 0.8], [0.8, 1]])
    shifted = costs_from_probabilities(p, prior=0.09)
    assert shifted[0, 1] == pytest.approx(np.log(4) + np.log(0.09 / 0.91))
    assert thresholds_to_shifts([0.5, 0.91]) == pytest.approx([0, np.log(0.09 / 0.91)])
    assert greedy_dense(costs_from_probabilities(p)).max() == 0
    assert greedy_dense(shifted).max() == 1


def test_float32_stays_float32_and_the_input_stays() -> None:
    p = np.full((3, 3), 0.25, np.float32)
    assert costs_from_probabilities(p).dtype == np.float32
    assert (p == 0.25).all()


@pytest.mark.parametrize(
    ("p", "sentence"),
    [
        (np.zeros((2, 1)), "not a square matrix"),
        (np.zeros((0, 0)), "empty"),
        (np.array([[1, 0.2], [1.2, 1]]), "row 1, column 0 is 1.2, not within"),
        (np.array([[1, np.nan], [0.5, 1]]), "row 0, column 1 is nan"),
        (np.array([[1, -0.1], [0.5, 1]]), "row 0, column 1 is -0.1"),
    ],
)
def test_bad_probabilities_are_refused_in_one_sentence(p: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        costs_from_probabilities(p)


@pytest.mark.parametrize("prior", [0.0, 1.0, -1.0, np.nan])
def test_a_prior_is_a_share(prior: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        costs_from_probabilities(np.eye(2), prior=prior)
    with pytest.raises(DataError, match="between 0 and 1"):
        thresholds_to_shifts([prior])


@given(st.lists(st.integers(-3, 4), min_size=1, max_size=20), st.integers(0, 1000))
def test_the_objective_agrees_with_listing_every_pair(labels: list[int], seed: int) -> None:
    costs = slow.random_costs(len(labels), seed)
    expected = slow.objective(costs, np.array(labels))
    assert objective_dense(costs + np.eye(len(labels)), np.array(labels)) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(-3, 4), max_size=20))
def test_renumbering_keeps_clusters_and_counts_by_first_appearance(labels: list[int]) -> None:
    names: dict[int, int] = {}
    assert renumber(np.array(labels, int)).tolist() == [names.setdefault(v, len(names)) for v in labels]


def test_importing_the_package_compiles_nothing() -> None:
    code = "import sys, bench.multicut; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
