"""`bench.multicut.solve`, the way in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench import multicut
from bench.errors import DataError, UsageError
from bench.multicut import DenseCosts, SparseCosts, exact, greedy_dense, solve, verify
from tests.multicut.oracles import best_objective, edges, objective, planted

COSTS = planted(8, 1.0, seed=0, size=3)


def test_a_matrix_dense_and_sparse_costs_give_one_answer() -> None:
    for costs in (COSTS, COSTS.tolist(), DenseCosts(COSTS), SparseCosts(8, *edges(COSTS))):
        solution = solve(costs, certificate=True)
        assert solution.status == "optimal"
        assert solution.objective == pytest.approx(best_objective(COSTS))
        assert objective(COSTS, solution.labels) == pytest.approx(solution.objective)
        assert solution.certificate is not None
        assert verify(solution.certificate, costs) >= solution.objective - 1e-9


def test_the_greedy_solver_bounds_by_the_positive_costs() -> None:
    solution = solve(COSTS, "greedy")
    assert (solution.status, solution.solver, solution.certificate) == ("greedy", "greedy", None)
    assert solution.labels.tolist() == greedy_dense(COSTS).tolist()
    assert solution.objective == pytest.approx(objective(COSTS, solution.labels))
    assert solution.upper_bound == pytest.approx(np.triu(np.maximum(COSTS, 0)).sum())
    assert solution.gap > 0


def test_auto_turns_greedy_beyond_300_nodes() -> None:
    one = np.zeros(1, np.int64)
    assert solve(SparseCosts(300, one, one + 1, [1.0])).status == "optimal"
    assert solve(SparseCosts(301, one, one + 1, [1.0])).status == "greedy"


def test_the_solver_of_programs_the_limit_and_the_seed_go_on() -> None:
    costs = planted(30, 1.2, seed=0)
    ours = solve(costs, "highs", time_limit=math.inf, seed=4)
    direct = exact.solve(costs, solver="highs", seed=4)
    assert ours.solver == "highs"
    assert ours.labels.tolist() == direct.labels.tolist()
    assert (ours.objective, ours.upper_bound, ours.cuts) == (
        direct.objective,
        direct.upper_bound,
        direct.cuts,
    )
    assert solve(planted(120, 1.6, 1), time_limit=0.0).status == "time_limit"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="proves nothing"):
        solve(COSTS, "greedy", certificate=True)
    with pytest.raises(DataError, match="not symmetric"):
        solve(np.arange(9.0).reshape(3, 3))


def test_the_package_offers_what_it_lists_and_nothing_else() -> None:
    for name in multicut.__all__:
        assert callable(getattr(multicut, name))
    with pytest.raises(AttributeError, match="no attribute 'solve_all'"):
        multicut.__getattr__("solve_all")
