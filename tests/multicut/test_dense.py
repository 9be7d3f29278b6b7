from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.multicut import greedy_dense, objective_dense
from tests.multicut import greedy_oracles as slow

seeds = st.integers(0, 10**6)
kinds = st.sampled_from(slow.KINDS)


@pytest.mark.parametrize("kind", slow.KINDS)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 16, 30])
def test_contraction_agrees_with_the_definition_also_on_ties(kind: str, n: int) -> None:
    for seed in range(8):
        costs = slow.random_costs(n, seed, kind)
        assert greedy_dense(costs, refine=False).tolist() == slow.contract(costs).tolist()


@pytest.mark.slow
@settings(max_examples=150)
@given(st.integers(1, 7), seeds, kinds)
def test_never_better_than_the_best_of_all_partitions(n: int, seed: int, kind: str) -> None:
    costs = slow.random_costs(n, seed, kind)
    assert objective_dense(costs, greedy_dense(costs)) <= slow.optimum(costs) + 1e-9


@pytest.mark.slow
def test_mostly_finds_the_best_of_all_partitions() -> None:
    instances = [slow.random_costs(7, seed, "normal") for seed in range(100)]
    found = [objective_dense(c, greedy_dense(c)) >= slow.optimum(c) - 1e-9 for c in instances]
    assert sum(found) >= 90


@settings(max_examples=100)
@given(st.integers(1, 14), seeds, kinds)
def test_refined_clusters_cannot_be_improved_by_a_move_or_a_join(n: int, seed: int, kind: str) -> None:
    costs = slow.random_costs(n, seed, kind)
    labels = greedy_dense(costs)
    assert slow.best_local_gain(costs, labels) < 1e-8
    assert objective_dense(costs, labels) >= objective_dense(costs, greedy_dense(costs, refine=False)) - 1e-9


def test_refining_gains_on_hard_instances() -> None:
    instances = [slow.random_costs(40, seed, "normal") for seed in range(10)]
    gains = [
        objective_dense(c, greedy_dense(c)) - objective_dense(c, greedy_dense(c, refine=False))
        for c in instances
    ]
    assert min(gains) >= -1e-9
    assert max(gains) > 0.1


@settings(max_examples=40)
@given(st.integers(2, 60), seeds)
def test_the_order_of_nodes_changes_nothing_but_names_while_contracting(n: int, seed: int) -> None:
    costs = slow.random_costs(n, seed, "planted")
    order = np.random.default_rng(seed).permutation(n)
    labels, shuffled = (greedy_dense(c, refine=False) for c in (costs, costs[np.ix_(order, order)]))
    together = labels[order][:, None] == labels[order]
    assert (together == (shuffled[:, None] == shuffled)).all()


@pytest.mark.parametrize("kind", slow.KINDS)
def test_two_runs_are_identical_and_labels_count_by_first_appearance(kind: str) -> None:
    costs = slow.random_costs(70, 3, kind)
    labels = greedy_dense(costs)
    assert (labels == greedy_dense(costs)).all()
    _, first = np.unique(labels, return_index=True)
    assert (np.diff(first) > 0).all()
    assert labels[0] == 0


def test_extreme_costs_have_the_obvious_answer() -> None:
    assert greedy_dense(slow.random_costs(20, 0, "positive")).max() == 0
    assert greedy_dense(slow.random_costs(20, 0, "negative")).tolist() == list(range(20))
    assert greedy_dense(np.zeros((5, 5))).tolist() == list(range(5))


def test_float32_finds_planted_clusters_larger_than_a_block() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 300)
    noise = np.triu(rng.normal(0, 2, (300, 300)), 1)
    costs = (np.where(truth[:, None] == truth, 1, -1) + noise + noise.T).astype(np.float32)
    labels = greedy_dense(costs)
    assert ((labels[:, None] == labels) == (truth[:, None] == truth)).all()


def test_neither_the_diagonal_nor_the_scale_matters_and_the_input_stays() -> None:
    costs = slow.random_costs(25, 1, "planted")
    diagonal = costs + 100 * np.eye(25)
    kept = diagonal.copy()
    assert (greedy_dense(diagonal) == greedy_dense(costs)).all()
    assert (greedy_dense(costs * 2.0**-40) == greedy_dense(costs)).all()
    assert (diagonal == kept).all()
    diagonal.flags.writeable = False
    assert (greedy_dense(diagonal) == greedy_dense(costs)).all()


@pytest.mark.parametrize(
    ("costs", "sentence"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\) are not a square matrix"),
        (np.zeros(4), r"shape \(4,\) are not a square matrix"),
        (np.zeros((0, 0)), "are empty"),
        (np.array([[0, np.nan], [np.nan, 0]]), "row 0, column 1 is nan"),
        (np.array([[0, 1.0], [np.inf, 0]]), "row 1, column 0 is inf"),
        (np.array([[0, 1.0], [2.0, 0]]), "1.0 at row 0, column 1 but 2.0 the other way"),
        (np.array([["a", "b"], ["c", "d"]]), "must be real numbers"),
    ],
)
def test_bad_costs_are_refused_in_one_sentence(costs: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        greedy_dense(costs)


def test_asymmetric_costs_are_averaged_when_asked() -> None:
    assert greedy_dense([[0, 3.0], [-1.0, 0]], symmetrise=True).tolist() == [0, 0]
    assert greedy_dense([[0, 1.0], [-3.0, 0]], symmetrise=True).tolist() == [0, 1]
