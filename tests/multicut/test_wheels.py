"""Inequalities beyond cycles, against all partitions; and the first-order method, against the simplex."""

from __future__ import annotations

import numpy as np
import pytest

from bench.multicut.backends import make_model
from bench.multicut.bounds import forced, proven
from bench.multicut.firstorder import FirstOrder
from bench.multicut.fixing import carry, split
from bench.multicut.packing import pack
from bench.multicut.problem import DenseProblem
from bench.multicut.relaxation import Relaxation
from bench.multicut.separation import Point
from bench.multicut.wheels import carry_wheels, charged, covering, find_wheels
from tests.multicut.oracles import partitions, planted, symmetric

SEEDS = range(12)


def random_point(problem, rng):
    n = problem.n
    z = rng.choice([0.0, 0.5, 1.0], (n, n), p=[0.3, 0.6, 0.1])
    low, high = np.nonzero(np.triu(problem.graph.matrix < 0, 1))
    row = np.searchsorted(low, np.arange(n + 1))
    return Point(z[problem.u, problem.v], row, high.astype(np.int32), 0.5 * z[low, high])


def sums(wheels, labels):
    """The left side of every inequality, per partition."""
    x = labels[:, wheels.a] == labels[:, wheels.b]
    row = np.repeat(np.arange(len(wheels.limit)), np.diff(wheels.start))
    return np.stack([(x * wheels.sign)[:, row == r].sum(1) for r in range(len(wheels.limit))], 1)


def some_wheels(seed, kind="normal", n=7):
    rng = np.random.default_rng(seed)
    problem = DenseProblem.of(symmetric(n, rng, kind))
    return problem, find_wheels(problem, random_point(problem, rng)), rng


def test_every_partition_obeys_and_some_only_just():
    seen = 0
    for seed in SEEDS:
        _, wheels, _ = some_wheels(seed)
        seen += len(wheels.limit)
        if not len(wheels.limit):
            continue
        assert (sums(wheels, partitions(7)) <= wheels.limit + 1e-9).all()
        assert (sums(wheels, partitions(7)).max(0) == wheels.limit).all()
    assert seen > 20


def test_an_odd_wheel_that_no_star_shows_is_found():
    costs = np.full((6, 6), -1.0)
    for k in range(5):
        costs[5, k] = costs[k, 5] = 1.0
    problem = DenseProblem.of(costs)
    # Neighbours on the rim are apart, all others half joined: stars gain nothing.
    z = np.array([[0.0 if (j - i) % 5 in (1, 4) else 0.5 for j in range(5)] for i in range(5)])
    low, high = np.triu_indices(5, 1)
    point = Point(np.full(5, 0.5), np.searchsorted(low, np.arange(7)), high.astype(np.int32), z[low, high])
    found = find_wheels(problem, point)
    assert found.weight.max() == pytest.approx(0.5)
    assert np.diff(found.start)[np.argmax(found.weight)] == 10
    assert found.limit[np.argmax(found.weight)] == 2.0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["normal", "shifted", "tied"])
def test_charging_for_inequalities_promises_too_much_to_no_partition(seed, kind):
    problem, wheels, rng = some_wheels(seed, kind)
    for scale in (0.05, 1.0):  # small and far too large weights
        weighted = wheels._replace(weight=scale * rng.random(len(wheels.limit)))
        rest, offset = charged(problem, weighted)
        assert (rest.cost >= 0).all()
        for labels in partitions(7)[::13]:
            assert problem.disagreement(labels) >= offset + rest.disagreement(labels) - 1e-9
        lower = covering(problem, weighted)[1]
        if scale < 0.1:
            assert offset <= weighted.weight @ lower + 1e-9


@pytest.mark.parametrize("seed", range(40))
def test_bounds_and_forced_decisions_with_wheels_are_valid(seed):
    rng = np.random.default_rng(seed)
    problem = DenseProblem.of(symmetric(8, rng, "normal"))
    values = np.array([problem.disagreement(labels) for labels in partitions(8)])
    relaxation, new = Relaxation(problem, "highs", 0), pack(problem)[0]
    for accuracy in (1e-3, 0.0, 0.0, 0.0):
        relaxation.add(new)
        relaxation.solve(np.inf, accuracy)
        relaxation.add_wheels(find_wheels(problem, relaxation.point()))
        relaxation.solve(np.inf, accuracy)
        bound = proven(problem, relaxation)
        assert bound.value <= values.min() + 1e-7
        cutoff = values.min() + 0.5
        joined, cut = forced(bound, cutoff)
        allowed = partitions(8)[values < cutoff - 1e-6]
        same = allowed[:, problem.u] == allowed[:, problem.v]
        assert same[:, joined].all()
        assert not same[:, cut].any()
        new = relaxation.violated(allowed[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_inequalities_stay_valid_when_nodes_become_one(seed):
    _, wheels, rng = some_wheels(seed)
    place = rng.integers(-1, 5, 7)
    carried = carry_wheels(wheels, place, 5)
    assert (np.diff(carried.start) > 0).all()
    assert (carried.a < carried.b).all()
    if len(carried.limit):
        assert (sums(carried, partitions(5)) <= carried.limit + 1e-9).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_cycles_stay_conflicted_when_nodes_become_one(seed):
    rng = np.random.default_rng(seed)
    problem = DenseProblem.of(planted(30, 1.2, seed))
    cycles, wish = pack(problem)[0], rng.random(len(problem.u))
    kept = 0
    for part in split(problem, wish < 0.05, wish > 0.95, 1000.0):
        found, inner = carry(problem, cycles, part), part.problem
        kept += len(found.u)
        for c in range(len(found.u)):
            x, nodes = found.u[c], [found.u[c]]
            for e in found.edge[found.start[c] : found.start[c + 1]]:
                assert x in (inner.u[e], inner.v[e])
                x = inner.u[e] + inner.v[e] - x
                nodes.append(x)
            assert x == found.v[c]
            assert found.u[c] < found.v[c]
            assert len(set(nodes)) == len(nodes) > 2
            assert inner.pair_cost(found.u[c], x) < 0
    assert kept > 0


@pytest.mark.parametrize("seed", range(5))
def test_the_first_order_method_comes_near_the_simplex_and_goes_on(seed):
    rng = np.random.default_rng(seed)
    rough, exact = FirstOrder(), make_model("highs", 0)
    for _ in range(3):
        cost = rng.random(40) + 0.1
        rough.add_columns(cost)
        exact.add_columns(cost)
        start = np.arange(0, 4 * 61, 4)
        column = np.concatenate([rng.choice(exact.columns, 4, replace=False) for _ in range(60)])
        rows = start, column, np.ones(240), np.ones(60)
        rough.add_rows(*rows, np.zeros(60))
        exact.add_rows(*rows)
        found, best = rough.relax(1e-6), exact.relax(np.inf)
        assert found.dual.sum() == pytest.approx(best.dual.sum(), rel=1e-3)
        assert (found.x >= 0).all()
        assert (found.dual >= 0).all()
        again = rough.relax(1e-6)
        assert again.dual.sum() == pytest.approx(best.dual.sum(), rel=1e-3)


def test_rough_relaxations_prove_nearly_as_much():
    problem = DenseProblem.of(planted(60, 0.9, 1))
    values = []
    for accuracy in (1e-4, 0.0):
        relaxation, new = Relaxation(problem, "highs", 0), pack(problem)[0]
        for _ in range(40):
            relaxation.add(new)
            relaxation.solve(np.inf, accuracy)
            new = relaxation.violated(np.arange(60) // 6, rough=accuracy > 0)
            if not len(new.u):
                break
        values.append(proven(problem, relaxation).value)
    assert values[0] == pytest.approx(values[1], rel=0.02)
    assert values[0] <= values[1] + 1e-6
