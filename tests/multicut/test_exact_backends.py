"""HiGHS and Gurobi behind one formulation."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import DataError
from bench.multicut import backends
from bench.multicut.backends import LICENCE_LIMIT, choose, gurobi_is_licensed, make_model
from bench.multicut.exact import solve
from bench.multicut.problem import DenseProblem
from bench.multicut.triangle import solve_triangles
from tests.multicut.oracles import best_objective, planted, symmetric

SOLVERS = ("highs", "gurobi")


def test_gurobi_without_a_usable_licence_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("gurobipy", reason="Gurobi is not installed")
    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "none.lic"))
    with pytest.raises(DataError, match=r"^Gurobi has no usable licence \(.*\); use the solver highs$"):
        make_model("gurobi", 0)


@pytest.fixture(params=SOLVERS)
def solver(request):
    if request.param == "gurobi":
        pytest.importorskip("gurobipy", reason="Gurobi is not installed")
    return request.param


def rows(model, *members):
    start = np.cumsum([0, *map(len, members)])
    column = np.concatenate(members)
    model.add_rows(start, column, np.ones(len(column)), np.ones(len(members)))


def test_a_model_that_grows(solver):
    model = make_model(solver, 0)
    model.add_columns(np.array([1.0, 2.0]))
    rows(model, [0, 1])
    first = model.relax(np.inf)
    assert first.finished
    assert first.x.tolist() == [1.0, 0.0]
    assert first.dual.tolist() == [1.0]
    model.add_columns(np.array([1.0]))
    rows(model, [0, 2], [1, 2])
    second = model.relax(np.inf)
    assert [1.0, 2.0, 1.0] @ second.x == pytest.approx(2.0)
    assert second.dual.sum() == pytest.approx(2.0)
    exact = model.solve(np.inf, None)
    assert exact.finished
    assert exact.x is not None
    assert exact.bound == pytest.approx(2.0)
    assert set(exact.x.tolist()) <= {0.0, 1.0}


def test_integrality_costs(solver):
    model = make_model(solver, 0)
    model.add_columns(np.ones(3))
    rows(model, [0, 1], [1, 2], [0, 2])
    assert model.relax(np.inf).x.sum() == pytest.approx(1.5)
    result = model.solve(np.inf, np.ones(3))
    assert result.x is not None
    assert (result.x.sum(), result.bound) == pytest.approx((2.0, 2.0))
    assert model.relax(np.inf).x.sum() == pytest.approx(1.5)


def test_no_time_gives_no_answer_and_no_wrong_bound(solver):
    model = make_model(solver, 0)
    rng = np.random.default_rng(0)
    model.add_columns(rng.random(60))
    rows(model, *(rng.choice(60, 5, replace=False) for _ in range(90)))
    hurried = model.solve(0.0, None)
    assert hurried.bound <= model.solve(np.inf, None).bound + 1e-6
    assert not make_model(solver, 0).relax(0.0).x.size


@pytest.mark.parametrize("kind", ["normal", "shifted", "scattered", "tied"])
def test_both_solvers_agree(kind):
    pytest.importorskip("gurobipy", reason="Gurobi is not installed")
    rng = np.random.default_rng([*kind.encode()])
    for n in (6, 8, 12, 16):
        costs = symmetric(n, rng, kind)
        highs, gurobi = solve(costs, solver="highs"), solve(costs, solver="gurobi")
        assert highs.objective == pytest.approx(gurobi.objective, rel=1e-6)
        assert highs.solver in ("highs", "none")
        assert gurobi.solver in ("gurobi", "none")
        if n <= 8:
            assert gurobi.objective == pytest.approx(best_objective(costs))


def test_the_triangle_program(solver):
    rng = np.random.default_rng(1)
    for n in (3, 5, 8):
        costs = symmetric(n, rng, "normal")
        problem = DenseProblem.of(costs)
        labels, bound = solve_triangles(problem, np.arange(n), solver, 0, np.inf)
        assert problem.positive - bound == pytest.approx(best_objective(costs))
        assert problem.disagreement(labels) == pytest.approx(bound)


def test_the_bundled_licence_refuses_large_models_in_one_sentence(monkeypatch):
    pytest.importorskip("gurobipy", reason="Gurobi is not installed")
    if gurobi_is_licensed():
        pytest.skip("a full Gurobi licence is installed")
    monkeypatch.setattr("bench.multicut.exact.LARGE", 10**9)  # nothing is solved roughly and then smaller
    with pytest.raises(DataError, match="use solver 'highs'"):
        solve(planted(150, 0.8, 0), solver="gurobi")
    model = make_model("gurobi", 0)
    model.add_columns(np.ones(LICENCE_LIMIT))
    assert model.relax(np.inf).finished


@pytest.mark.parametrize(("licensed", "expected"), [(True, "gurobi"), (False, "highs")])
def test_auto_takes_gurobi_only_with_a_licence(monkeypatch, licensed, expected):
    monkeypatch.setattr(backends, "gurobi_is_licensed", lambda: licensed)
    assert choose("auto") == expected
    assert choose("highs") == "highs"
