"""The steps of the exact solver, each against a slower way to the same end."""

from __future__ import annotations

import numpy as np
import pytest

from bench.multicut.fixing import fit, probe, split
from bench.multicut.graph import components
from bench.multicut.packing import Cycles, join, no_cycles, pack
from bench.multicut.problem import DenseProblem, SparseProblem
from bench.multicut.relaxation import Relaxation
from bench.multicut.separation import Point, Separation, separate
from tests.multicut.oracles import edges, objective, partitions, planted, symmetric

SEEDS = range(8)


def both_forms(costs):
    return [DenseProblem.of(costs), SparseProblem.of(len(costs), *edges(costs))]


def disagreements(costs):
    """The disagreement of every partition of up to 8 nodes."""
    problem = DenseProblem.of(costs)
    return np.array([problem.disagreement(labels) for labels in partitions(len(costs))])


def loads(problem, cycles):
    """Total weight on every positive edge and on every pair."""
    edge = np.bincount(cycles.edge, np.repeat(cycles.weight, np.diff(cycles.start)), len(problem.u))
    pair = np.zeros((problem.n, problem.n))
    np.add.at(pair, (cycles.u, cycles.v), cycles.weight)
    return edge, pair


def assert_conflicted(problem, cycles):
    for c in range(len(cycles.u)):
        x = cycles.u[c]
        for e in cycles.edge[cycles.start[c] : cycles.start[c + 1]]:
            assert x in (problem.u[e], problem.v[e])
            x = problem.u[e] + problem.v[e] - x
        assert x == cycles.v[c] > cycles.u[c]
        assert problem.pair_cost(cycles.u[c], x) < 0


@pytest.mark.parametrize("seed", SEEDS)
def test_both_forms_describe_the_same_instance(seed):
    rng = np.random.default_rng(seed)
    costs = symmetric(9, rng, "scattered")
    labels = rng.integers(0, 4, 9)
    for problem in both_forms(costs):
        assert problem.positive - problem.disagreement(labels) == pytest.approx(objective(costs, labels))
        graph = problem.graph
        for x in range(9):
            around = slice(graph.start[x], graph.start[x + 1])
            assert sorted(graph.neighbour[around]) == np.flatnonzero(costs[x] > 0).tolist()
            assert np.allclose(graph.cost[graph.edge[around]], costs[x, graph.neighbour[around]])
            for y in range(9):
                assert min(problem.pair_cost(x, y), 0.0) == (min(costs[x, y], 0.0) if x != y else 0.0)


def test_components_are_numbered_by_first_appearance():
    u, v = np.array([3, 1, 4], np.int32), np.array([4, 2, 0], np.int32)
    assert components(6, u, v, np.array([True, True, True])).tolist() == [0, 1, 1, 0, 0, 2]
    assert components(6, u, v, np.array([True, False, False])).tolist() == [0, 1, 2, 3, 3, 4]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["normal", "scattered", "shifted", "tied"])
def test_packed_cycles_are_conflicted_and_fit(seed, kind):
    costs = symmetric(8, np.random.default_rng(seed), kind)
    for problem in both_forms(costs):
        cycles, left = pack(problem)
        assert_conflicted(problem, cycles)
        edge, pair = loads(problem, cycles)
        assert np.allclose(left, problem.cost - edge)
        assert (left >= 0).all()
        assert (pair <= np.maximum(-costs, 0) + 1e-12).all()
        assert cycles.bound <= disagreements(costs).min() + 1e-9


def test_packing_leaves_no_short_conflicted_cycle():
    for problem in both_forms(planted(30, 1.2, seed=0)):
        cycles, left = pack(problem)
        _, pair = loads(problem, cycles)
        open_edge = left > 1e-8
        island = components(problem.n, problem.u, problem.v, open_edge)
        reach = np.zeros((30, 30), bool)
        reach[problem.u[open_edge], problem.v[open_edge]] = True
        reach |= reach.T
        two = (reach.astype(int) @ reach.astype(int)) > 0
        for x in range(30):
            for y in range(x + 1, 30):
                room = -min(problem.pair_cost(x, y), 0.0) - pair[x, y]
                assert not (two[x, y] and island[x] == island[y] and room > 1e-8)


def test_packing_stops_when_the_bound_is_enough():
    problem = DenseProblem.of(planted(30, 1.2, seed=0))
    assert pack(problem, lambda _: True)[0].bound == 0.0
    assert pack(problem, lambda bound: bound > 0)[0].bound < pack(problem)[0].bound


def test_taking_and_joining_cycles_keeps_their_paths():
    cycles, _ = pack(DenseProblem.of(planted(30, 1.2, seed=0)))
    odd = np.arange(len(cycles.u)) % 2 == 1
    again = join([cycles.take(odd), no_cycles(), cycles.take(~odd)])
    back = again.take(np.argsort(np.concatenate([np.flatnonzero(odd), np.flatnonzero(~odd)])))
    for name in Cycles._fields:
        assert getattr(back, name).tolist() == getattr(cycles, name).tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_separation_finds_a_cycle_exactly_if_one_is_violated(seed):
    rng = np.random.default_rng(seed)
    costs = planted(14, 1.1, seed)
    for problem in both_forms(costs):
        z = np.round(rng.random(len(problem.u)) ** 2, 2)
        nowhere = Point(z, np.zeros(15, np.int64), np.empty(0, np.int32), np.empty(0))
        found = separate(problem, nowhere, np.arange(14), 1.0)
        assert_conflicted(problem, found)
        distance = np.full((14, 14), np.inf)
        distance[problem.u, problem.v] = distance[problem.v, problem.u] = z
        for k in range(14):
            distance = np.minimum(distance, distance[:, k : k + 1] + distance[k])
        violated = (distance < 1 - 1e-5) & (np.triu(costs, 1) < 0)
        assert violated.any() == (len(found.u) > 0)
        for c in range(len(found.u)):
            total = z[found.edge[found.start[c] : found.start[c + 1]]].sum()
            assert found.weight[c] == pytest.approx(1 - total)
            assert violated[found.u[c], found.v[c]]


def test_values_a_little_below_zero_do_no_harm():
    problem = DenseProblem.of(planted(30, 0.8, seed=0))
    point = Point(np.full(len(problem.u), -1e-9), np.zeros(31, np.int64), np.empty(0, np.int32), np.empty(0))
    for share in (0.4, 1.0):
        assert len(separate(problem, point, np.zeros(30, np.int64), share).u)


def test_separation_knows_the_values_of_pairs_and_the_partition():
    costs = np.array([[0, 1, -1], [1, 0, 1], [-1, 1, 0.0]])
    for problem in both_forms(costs):
        row, z = np.array([0, 1, 1, 1]), np.array([0.2, 0.1])
        point = Point(z, row, np.array([2], np.int32), np.array([0.5]))
        found = separate(problem, point, np.zeros(3, np.int64), 1.0)
        assert found.weight.tolist() == pytest.approx([0.2])
        assert not len(separate(problem, point._replace(pair=np.array([0.7])), np.zeros(3, np.int64), 1.0).u)
        assert not len(separate(problem, point._replace(pair=np.array([0.9])), np.arange(3), 0.4).u)
        between = separate(problem, point, np.array([0, 0, 1]), 0.4)
        assert between.weight.tolist() == pytest.approx([0.4 * 0.2])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_looking_only_where_something_changed_finds_the_same(seed, share):
    rng = np.random.default_rng(seed)
    for problem in both_forms(planted(40, 0.8, seed)):
        m, keys = len(problem.u), np.empty(0, np.int64)
        z, value, labels = rng.random(m), np.empty(0), np.arange(40) // 6
        again, seen = Separation(problem, share), 0
        for step in range(12):
            change = rng.random(m) < 0.05
            z = np.where(change, rng.random(m) ** 2, z)
            x, y = np.sort(rng.choice(40, 2, replace=False))
            if x * 40 + y not in keys:
                at = np.searchsorted(keys, x * 40 + y)
                keys, value = np.insert(keys, at, x * 40 + y), np.insert(value, at, 0.0)
            value = np.where(rng.random(len(value)) < 0.3, rng.random(len(value)), value)
            row = np.searchsorted(keys // 40, np.arange(41))
            point = Point(z, row, (keys % 40).astype(np.int32), value)
            if step == 8:
                labels = labels[::-1].copy()
            one, two = separate(problem, point, labels, share), again.find(point, labels)
            for name in Cycles._fields:
                assert getattr(one, name).tolist() == getattr(two, name).tolist()
            seen += len(one.u)
        assert seen > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_relaxation_lies_between_packing_and_optimum(seed):
    costs = symmetric(8, np.random.default_rng(seed), "normal")
    best = disagreements(costs).min()
    values = []
    for problem in both_forms(costs):
        relaxation = Relaxation(problem, "highs", 0)
        packed, _ = pack(problem)
        new = packed
        while len(new.u):
            relaxation.add(new)
            assert relaxation.solve(np.inf)
            new = relaxation.violated(np.arange(8))
        fitted, left = fit(problem, relaxation.cycles)
        assert packed.bound - 1e-9 <= fitted.bound <= best + 1e-9
        assert fitted.bound == pytest.approx(relaxation.cycles.bound, abs=1e-6)
        assert np.allclose(left, problem.cost - loads(problem, fitted)[0])
        values.append(fitted.bound)
    assert values[0] == pytest.approx(values[1], abs=1e-6)


def test_fitting_lowers_weights_that_are_too_large():
    problem = DenseProblem.of(np.array([[0, 1, -3], [1, 0, 2], [-3, 2, 0.0]]))
    cycle = Cycles(
        np.array([0, 0]), np.array([2, 2]), np.array([0, 2, 4]), np.array([0, 1, 0, 1]), np.ones(2)
    )
    fitted, left = fit(problem, cycle._replace(weight=np.array([5.0, 5.0])))
    assert fitted.weight.tolist() == [1.0]
    assert left.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("kind", ["normal", "shifted", "scattered"])
def test_probing_never_promises_too_much(seed, kind):
    costs = symmetric(7, np.random.default_rng(seed), kind)
    values = disagreements(costs)
    for problem in both_forms(costs):
        cycles, left = pack(problem)
        if_cut, if_joined = probe(problem, cycles, left)
        for e in range(len(problem.u)):
            joined = partitions(7)[:, problem.u[e]] == partitions(7)[:, problem.v[e]]
            assert cycles.bound + if_cut[e] <= values[~joined].min() + 1e-9
            assert cycles.bound + if_joined[e] <= values[joined].min() + 1e-9
            assert if_cut[e] >= left[e]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("largest_matrix", [0, 100])
def test_splitting_keeps_the_best_of_the_partitions_that_obey(monkeypatch, seed, largest_matrix):
    monkeypatch.setattr("bench.multicut.problem.DENSE_UP_TO", largest_matrix)
    rng = np.random.default_rng(seed)
    costs = symmetric(7, rng, "scattered")
    values = disagreements(costs)
    for problem in both_forms(costs):
        m = len(problem.u)
        wish = rng.random(m)
        join_edge, cut_edge = wish < 0.25, wish > 0.75
        same = partitions(7)[:, problem.u] == partitions(7)[:, problem.v]
        obeys = (same[:, join_edge]).all(1) & (~same[:, cut_edge]).all(1)
        if not obeys.any():
            continue
        parts = split(problem, join_edge, cut_edge, 1000.0)
        group = components(problem.n, problem.u, problem.v, join_edge)
        alone, total = group.copy(), 0.0
        for part in parts:
            alone[part.nodes] = 10 + 10 * len(alone) * (1 + part.nodes.min()) + part.place
            every = np.array([part.problem.disagreement(p) for p in partitions(part.problem.n)])
            total += every.min() - part.problem.disagreement(np.arange(part.problem.n))
        base = np.unique(alone, return_inverse=True)[1]
        assert problem.disagreement(base) + total == pytest.approx(values[obeys].min())
