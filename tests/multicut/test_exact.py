"""The exact solver against brute force, against itself, and against the clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.multicut import exact
from bench.multicut.certificate import Certificate, verify
from bench.multicut.exact import solve
from bench.multicut.instance import SparseCosts
from bench.multicut.problem import DenseProblem
from bench.multicut.relaxation import Relaxation
from bench.multicut.result import TOLERANCE, Solution
from bench.multicut.triangle import solve_triangles
from tests.multicut.oracles import KINDS, best_objective, edges, objective, planted, symmetric


def proof(solution: Solution) -> Certificate:
    assert solution.certificate is not None
    return solution.certificate


def assert_proven(solution: Solution, costs: np.ndarray, best: float) -> None:
    tolerance = TOLERANCE * max(1.0, solution.disagreement)
    assert solution.status == "optimal"
    assert objective(costs, solution.labels) == pytest.approx(solution.objective, abs=1e-9, rel=1e-9)
    assert solution.objective == pytest.approx(best, abs=tolerance)
    assert solution.objective - 1e-9 <= solution.upper_bound <= best + tolerance
    assert best <= proof(solution).upper_bound + 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_small_instances_agree_with_all_partitions(kind, seed):
    rng = np.random.default_rng([seed, *kind.encode()])
    for n in range(1, 9):
        costs = symmetric(n, rng, kind)
        best = best_objective(costs)
        dense, sparse = solve(costs), solve(SparseCosts(n, *edges(costs)))
        assert_proven(dense, costs, best)
        assert_proven(sparse, costs, best)
        verify(proof(dense), costs)
        verify(proof(sparse), SparseCosts(n, *edges(costs)))
        single = costs.astype(np.float32)
        assert_proven(solve(single), single.astype(float), best_objective(single.astype(float)))


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(2, 8), st.data())
def test_tied_costs_agree_with_all_partitions(n, data):
    values = data.draw(st.lists(st.integers(-3, 3), min_size=n * n, max_size=n * n))
    costs = np.triu(np.array(values, float).reshape(n, n), 1)
    costs += costs.T
    assert_proven(solve(costs), costs, best_objective(costs))


@pytest.mark.parametrize("n", [10, 14, 17, 20])
@pytest.mark.parametrize("noise", [0.7, 1.0, 1.5])
def test_medium_instances_agree_with_the_triangle_program(n, noise):
    costs = planted(n, noise, seed=n)
    problem = DenseProblem.of(costs)
    labels, bound = solve_triangles(problem, np.arange(n), "highs", 0, np.inf)
    assert problem.disagreement(labels) == pytest.approx(bound, rel=1e-6)
    assert_proven(solve(costs), costs, objective(costs, labels))
    assert_proven(solve(SparseCosts(n, *edges(costs))), costs, objective(costs, labels))


@pytest.mark.parametrize("noise", [0.8, 0.95])
def test_forced_decisions_change_no_optimum(monkeypatch, noise):
    costs = planted(60, noise, seed=3)
    quick = solve(costs)
    monkeypatch.setattr(exact, "WORTH", 0.0)  # straight from the relaxation to the integer program
    assert solve(costs).objective == pytest.approx(quick.objective, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("as_matrix", [True, False])
def test_parts_of_sparse_graphs_agree_as_matrices_and_as_lists(monkeypatch, as_matrix):
    if not as_matrix:
        monkeypatch.setattr("bench.multicut.problem.DENSE_UP_TO", 0)
    rng = np.random.default_rng(5)
    for seed in range(6):
        costs = planted(24, 1.3, seed) * (rng.random((24, 24)) < 0.6)
        costs = np.triu(costs, 1) + np.triu(costs, 1).T
        solution = solve(SparseCosts(24, *edges(costs)))
        assert_proven(solution, costs, solve(costs).objective)


def test_an_instance_that_needs_the_integer_program():
    # A wheel with five spokes: the relaxation cuts every spoke by half.
    costs = np.zeros((6, 6))
    for k in range(5):
        costs[5, k] = costs[k, 5] = 1.0
        costs[k, (k + 1) % 5] = costs[(k + 1) % 5, k] = -1.0
    solution = solve(costs)
    assert_proven(solution, costs, 2.0)
    assert verify(proof(solution), costs) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("costs", "clusters"),
    [
        (np.ones((40, 40)), 1),
        (-np.ones((40, 40)), 40),
        (np.zeros((40, 40)), 40),
        (np.ones((1, 1)), 1),
        (np.ones((2, 2)), 1),
        (-np.ones((2, 2)), 2),
    ],
)
def test_trivial_instances_need_no_solver(costs, clusters):
    solution = solve(costs)
    assert (solution.status, solution.solver, solution.gap) == ("optimal", "none", 0.0)
    assert solution.labels.max() + 1 == clusters
    assert solve(SparseCosts(len(costs), *edges(costs))).labels.max() + 1 == clusters


def test_a_graph_without_edges():
    nothing = np.empty(0, np.int64)
    costs = SparseCosts(3, nothing, nothing, np.empty(0))
    solution = solve(costs)
    assert solution.labels.tolist() == [0, 1, 2]
    assert verify(proof(solution), costs) <= 1e-300


def test_repeated_edges_add_up_and_loops_do_not_count():
    costs = SparseCosts(3, [0, 1, 0, 2], [1, 0, 2, 2], [2.0, -3.0, 1.0, 5.0])
    solution = solve(costs)
    assert solution.labels.tolist() == [0, 1, 0]
    assert solution.objective == 1.0
    assert verify(proof(solution), costs) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_nodes_changes_names_only(seed):
    costs = planted(60, 0.9, seed)
    order = np.random.default_rng(seed).permutation(60)
    one, two = solve(costs), solve(np.ascontiguousarray(costs[np.ix_(order, order)]))
    assert one.objective == pytest.approx(two.objective, rel=1e-6)
    same = one.labels[order][:, None] == one.labels[order]
    assert (same == (two.labels[:, None] == two.labels)).all()


def test_two_runs_give_the_same_bits():
    costs = planted(90, 0.8, 0)
    one, two = solve(costs, seed=4), solve(costs, seed=4)
    assert one.labels.tolist() == two.labels.tolist()
    assert (one.upper_bound, one.cuts) == (two.upper_bound, two.cuts)
    assert proof(one).weight.tolist() == proof(two).weight.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("time_limit", [0.0, 0.01, 0.05, 0.3])
def test_a_time_limit_leaves_a_partition_and_a_valid_gap(time_limit):
    costs = planted(120, 1.6, 1)  # far from solved in this time
    reachable = objective(costs, solve(costs, time_limit=2.0).labels)
    solution = solve(costs, time_limit=time_limit)
    assert objective(costs, solution.labels) == pytest.approx(solution.objective)
    assert solution.upper_bound >= max(reachable, solution.objective) - 1e-9
    assert (solution.gap == 0) == (solution.upper_bound <= solution.objective)
    assert verify(proof(solution), costs) >= solution.upper_bound - 1e-6
    assert solution.status == "time_limit"


@pytest.mark.parametrize("when", range(0, 40, 3))
def test_stopping_at_any_moment_leaves_valid_bounds(monkeypatch, when):
    costs = planted(60, 0.95, 2)
    best = solve(costs).objective
    looks = iter(range(10**9))
    monkeypatch.setattr(exact._Search, "left", lambda _: np.inf if next(looks) < when else 0.0)
    solution = solve(costs)
    assert solution.objective <= best + 1e-6
    assert solution.upper_bound >= best - 1e-6
    assert (solution.status == "optimal") == (solution.upper_bound - solution.objective < 1e-4)


@pytest.mark.parametrize("when", range(10, 240, 40))
def test_stopping_between_cases_leaves_valid_bounds(monkeypatch, when):
    costs = planted(60, 1.0, 3)  # needs about fifty cases
    looks = iter(range(10**9))
    monkeypatch.setattr(exact._Search, "left", lambda _: np.inf if next(looks) < when else 0.0)
    solution = solve(costs)
    best = 148.7031612475659  # by integer programs alone
    assert solution.objective <= best + 1e-6 <= solution.upper_bound + 2e-6


@pytest.mark.parametrize("bounds", [(3.0, 5.0), (5.0, 3.0)])
def test_the_bound_of_two_cases_is_the_smaller(monkeypatch, bounds):
    problem, labels = DenseProblem.of(planted(12, 0.5, 0)), np.zeros(12, np.int64)
    told = iter(bounds)
    monkeypatch.setattr(exact, "_solve_parts", lambda *_: next(told))
    run = exact._Search("highs", 0, np.inf, 0.0, None, 0.0)
    node = exact._Node(problem, labels, relaxation=Relaxation(problem, "highs", 0))
    assert exact._branch(run, node, 0) == 3.0


def test_progress_is_told_rising_objectives_and_falling_bounds():
    told = []
    solution = solve(planted(90, 0.8, 0), progress=lambda objective, bound: told.append((objective, bound)))
    assert told
    assert all(objective <= bound + 1e-6 for objective, bound in told)
    assert told == sorted(told, key=lambda each: (each[0], -each[1]))
    assert told[-1][0] <= solution.objective + 1e-9


def test_an_unknown_solver_is_refused():
    with pytest.raises(UsageError, match="auto, gurobi, highs"):
        solve(np.ones((3, 3)), solver="cplex")  # type: ignore[arg-type]  # what users may pass
