"""Certificates: what the solver proves is verified, what is corrupted is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.multicut.certificate import Certificate, certify, verify
from bench.multicut.exact import solve
from bench.multicut.instance import SparseCosts
from bench.multicut.packing import pack
from bench.multicut.problem import DenseProblem
from bench.multicut.result import Solution
from tests.multicut.oracles import KINDS, best_objective, edges, planted, symmetric


def proof(solution: Solution) -> Certificate:
    assert solution.certificate is not None
    return solution.certificate


COSTS = planted(40, 0.9, seed=2)
GOOD = proof(solve(COSTS))


def proven_exactly(certificate: Certificate, costs: np.ndarray) -> Fraction:
    """The bound in rational arithmetic, checked pair by pair."""
    used: dict[tuple[int, int], Fraction] = {}
    for c, weight in enumerate(certificate.weight.tolist()):
        nodes = certificate.node[certificate.start[c] : certificate.start[c + 1]].tolist()
        assert len(set(nodes)) == len(nodes) >= 3
        assert costs[nodes[0], nodes[-1]] < 0
        assert all(costs[a, b] > 0 for a, b in itertools.pairwise(nodes))
        for a, b in zip(nodes, nodes[1:] + nodes[:1], strict=True):
            pair = min(a, b), max(a, b)
            used[pair] = used.get(pair, Fraction(0)) + weight * Fraction(2) ** certificate.exponent
    assert all(total <= abs(Fraction(costs[pair])) for pair, total in used.items())
    upper = costs[np.triu_indices(len(costs), 1)]
    lost: Fraction = sum(certificate.weight.tolist()) * Fraction(2) ** certificate.exponent
    return sum(map(Fraction, upper[upper > 0].tolist()), Fraction(0)) - lost


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_verified_holds_in_rational_arithmetic(kind):
    rng = np.random.default_rng([*kind.encode()])
    for n in range(1, 9):
        costs = symmetric(n, rng, kind)
        certificate = proof(solve(costs))
        bound = verify(certificate, costs)
        exactly = proven_exactly(certificate, costs)
        assert exactly <= bound <= exactly + Fraction(abs(bound)) / 10**14 + Fraction(10) ** -300
        assert best_objective(costs) <= bound + 1e-12
        assert verify(certificate, SparseCosts(n, *edges(costs))) == pytest.approx(bound, rel=1e-14)


def test_a_tight_relaxation_proves_the_optimum():
    costs = planted(60, 0.7, seed=1)
    solution = solve(costs)
    assert verify(proof(solution), costs) == pytest.approx(solution.objective, rel=1e-6)
    sparse = SparseCosts(60, *edges(costs))
    assert verify(proof(solve(sparse)), sparse) == pytest.approx(solution.objective, rel=1e-6)


def test_packing_alone_is_a_certificate():
    problem = DenseProblem.of(COSTS)
    cycles, left = pack(problem)
    certificate = certify(problem, cycles)
    assert verify(certificate, COSTS) == pytest.approx(problem.positive - cycles.bound)
    assert (left >= 0).all()
    assert proven_exactly(certificate, COSTS) <= Fraction(certificate.upper_bound)


def test_it_survives_the_disk(tmp_path):
    GOOD.save(tmp_path / "proof.npz")
    again = Certificate.load(tmp_path / "proof.npz")
    assert verify(again, COSTS) == verify(GOOD, COSTS)
    assert again.node.tolist() == GOOD.node.tolist()


def corruptions(rng: np.random.Generator) -> dict[str, Certificate]:
    c = int(rng.integers(len(GOOD.weight)))
    first, last = int(GOOD.start[c]), int(GOOD.start[c + 1])
    heavy, negative, large = GOOD.weight.copy(), GOOD.weight.copy(), GOOD.weight.copy()
    a, b = GOOD.node[first], GOOD.node[last - 1]
    heavy[c] += int(abs(COSTS[a, b]) * 2.0**-GOOD.exponent) + 1
    negative[c] = -1
    large[c] = 2**62
    twice, turned, outside = GOOD.node.copy(), GOOD.node.copy(), GOOD.node.copy()
    twice[last - 1] = twice[first]
    turned[first:last] = np.roll(turned[first:last], 1)
    outside[first] = 40
    start = GOOD.start.copy()
    start[c + 1] -= 2
    return {
        "a load above the cost": replace(GOOD, weight=heavy),
        "a negative weight": replace(GOOD, weight=negative),
        "an enormous weight": replace(GOOD, weight=large),
        "many enormous weights": replace(GOOD, weight=np.full_like(large, 2**62)),
        "a node visited twice": replace(GOOD, node=twice),
        "the negative pair inside the path": replace(GOOD, node=turned),
        "a node that does not exist": replace(GOOD, node=outside),
        "a negative node": replace(GOOD, node=np.where(outside == 40, -1, outside)),
        "another number of nodes": replace(GOOD, n=41),
        "cycles too short": replace(GOOD, start=start),
        "starts that do not fit": replace(GOOD, start=GOOD.start[:-1]),
        "weights that do not fit": replace(GOOD, weight=GOOD.weight[:-1]),
        "a larger unit": replace(GOOD, exponent=GOOD.exponent + 1),
        "a better bound than proven": replace(GOOD, upper_bound=np.nextafter(GOOD.upper_bound, -np.inf)),
        "no number as a bound": replace(GOOD, upper_bound=np.nan),
        "weights that are no integers": replace(GOOD, weight=GOOD.weight.astype(float)),
        "a table of nodes": replace(GOOD, node=GOOD.node[:, None]),
    }


@pytest.mark.parametrize("what", corruptions(np.random.default_rng(0)))
def test_corrupted_certificates_are_refused(what):
    verify(GOOD, COSTS)
    rng = np.random.default_rng(1)
    for _ in range(10):
        wrong = corruptions(rng)[what]
        with pytest.raises(DataError, match="certificate refused"):
            verify(wrong, COSTS)
        with pytest.raises(DataError, match="certificate refused"):
            verify(wrong, SparseCosts(40, *edges(COSTS)))


@settings(max_examples=200)
@given(st.data())
def test_no_change_of_nodes_makes_it_claim_too_much(data):
    node, weight = GOOD.node.copy(), GOOD.weight.copy()
    for _ in range(data.draw(st.integers(1, 3))):
        node[data.draw(st.integers(0, len(node) - 1))] = data.draw(st.integers(0, 39))
        weight[data.draw(st.integers(0, len(weight) - 1))] += data.draw(st.integers(-(2**38), 2**38))
    changed = replace(GOOD, node=node, weight=weight, upper_bound=np.inf)
    try:
        bound = verify(changed, COSTS)
    except DataError:
        return
    assert Fraction(bound) >= proven_exactly(changed, COSTS)


def test_another_instance_is_refused():
    with pytest.raises(DataError, match="certificate refused"):
        verify(GOOD, -COSTS)
    with pytest.raises(DataError, match="certificate refused"):
        verify(GOOD, planted(40, 0.9, seed=3))
    i, j, cost = edges(COSTS)
    used = (i == GOOD.node[0]) | (j == GOOD.node[0])
    with pytest.raises(DataError, match="certificate refused"):
        verify(GOOD, SparseCosts(40, i[~used], j[~used], cost[~used]))


def test_files_that_are_no_certificates_are_refused(tmp_path):
    path = tmp_path / "proof.npz"
    with pytest.raises(DataError, match="not a certificate"):
        Certificate.load(path)
    GOOD.save(path)
    whole = path.read_bytes()
    for bad in (b"", b"PK\x03\x04", whole[: len(whole) // 2], whole.replace(b"node", b"nose")):
        path.write_bytes(bad)
        with pytest.raises(DataError, match="not a certificate"):
            Certificate.load(path)
    fields = {
        name: getattr(GOOD, name) for name in ("n", "start", "node", "weight", "exponent", "upper_bound")
    }
    for name, value in {"n": [1, 2], "n_": 1, "exponent": 1.5, "upper_bound": 3, "node": "x"}.items():
        wrong = {**fields, name: value} if name in fields else {k: v for k, v in fields.items() if k != "n"}
        np.savez(path, **wrong)
        with pytest.raises(DataError):
            verify(Certificate.load(path), COSTS)
    np.savez(path, **{**fields, "node": np.array([object()], dtype=object)})
    with pytest.raises(DataError, match="not a certificate"):
        Certificate.load(path)
