"""Dense and sparse costs answer the same questions alike."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import DataError
from bench.multicut.instance import DenseCosts, Instance, SparseCosts, as_instance
from tests.multicut.oracles import edges, objective, planted, symmetric

SEEDS = range(6)


def both(costs: np.ndarray) -> tuple[Instance, Instance]:
    return DenseCosts(costs), SparseCosts(len(costs), *edges(costs))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["normal", "scattered", "tied"])
def test_both_forms_agree(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    costs, labels = symmetric(9, rng, kind), rng.integers(0, 4, 9)
    a, b = (end.ravel() for end in np.nonzero(~np.eye(9, dtype=bool)))
    for instance in both(costs):
        assert instance.n == 9
        assert instance.objective(labels) == pytest.approx(objective(costs, labels))
        assert instance.positive_sum() == pytest.approx(np.triu(np.maximum(costs, 0)).sum())
        assert instance.positive_costs().sum() == pytest.approx(instance.positive_sum())
        assert (instance.pair_costs(a, b) == costs[a, b]).all()
        assert instance.problem().positive == pytest.approx(instance.positive_sum())
        assert instance.problem().disagreement(labels) == pytest.approx(
            instance.positive_sum() - objective(costs, labels)
        )


def test_both_forms_shift_and_cluster_alike() -> None:
    costs = planted(30, 0.3, seed=0)
    for instance in both(costs):
        assert instance.greedy().max() + 1 == 5
        assert instance.shifted(-20.0).greedy().max() + 1 == 30
        assert instance.shifted(20.0).greedy().max() == 0


def test_repeated_edges_add_up_and_loops_do_not_count() -> None:
    instance = SparseCosts(3, [0, 1, 0, 2], [1, 0, 2, 2], [2.0, -3.0, 1.0, 5.0])
    ends = np.array([0, 0, 2]), np.array([1, 2, 1])
    assert instance.pair_costs(*ends).tolist() == [-1.0, 1.0, 0.0]
    assert instance.positive_costs().tolist() == [1.0]


def test_arrays_that_are_right_are_not_copied_and_keep_their_type() -> None:
    matrix = planted(6, 0.3, seed=0).astype(np.float32)
    assert DenseCosts(matrix).matrix is matrix
    assert DenseCosts(matrix).shifted(0.25).matrix.dtype == np.float32
    cost = np.ones(1, np.float32)
    assert np.shares_memory(SparseCosts(2, [0], [1], cost).cost, cost)
    assert SparseCosts(2, [0], [1], cost).shifted(0.25).cost.dtype == np.float32


def test_a_matrix_is_read_as_dense_costs_and_an_instance_stays() -> None:
    dense = as_instance([[0, 1], [1, 0]])
    assert isinstance(dense, DenseCosts)
    assert as_instance(dense) is dense


def test_bad_costs_are_refused_when_an_instance_is_made() -> None:
    with pytest.raises(DataError, match="not symmetric"):
        DenseCosts([[0, 1], [2, 0]])
    assert DenseCosts([[0, 1], [2, 0]], symmetrise=True).matrix[0, 1] == 1.5
    with pytest.raises(DataError, match="must be finite"):
        SparseCosts(2, [0], [1], [np.nan])
    with pytest.raises(DataError, match="node 9"):
        SparseCosts(2, [0], [9], [1.0])
