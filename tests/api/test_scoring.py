"""`score` of labels of any kind, and `multicut` of costs or probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

import cutjoin
from bench.metrics.score import score as score_integers
from bench.multicut.costs import costs_from_probabilities
from bench.multicut.solving import solve
from cutjoin import DataError, SparseCosts, UsageError

TRUTH = [0, 0, 1, 1, 2, 2]
PREDICTED = [5, 5, 5, 7, -1, 9]


def test_integers_score_as_the_metrics_do() -> None:
    found = cutjoin.score(TRUTH, PREDICTED)
    assert found == score_integers(TRUTH, PREDICTED, rng=np.random.default_rng(0))
    assert (found.n, found.classes, found.clusters, found.noise) == (6, 3, 3, 1)
    assert set(found.intervals) == set(found.values)


@pytest.mark.parametrize(
    "truth",
    [
        ["a", "a", "b", "b", None, "c"],
        ["a", "a", "b", "b", "", "c"],
        ["a", "a", "b", "b", np.nan, "c"],
        ["a", "a", "b", "b", -1, "c"],
        [0.0, 0.0, 1.0, 1.0, np.nan, 2.0],
        [0, 0, 1, 1, None, 2],
        [0, 0, 1, 1, -1, 2],
        pd.Series(["a", "a", "b", "b", None, "c"], dtype="category"),
        pd.array(["a", "a", "b", "b", None, "c"], dtype="string"),
        pd.array([0, 0, 1, 1, None, 2], dtype="Int64"),
        np.array(["a", "a", "b", "b", "-1", "c"]),
        np.array(["a", "a", "b", "b", "", "c"], dtype=np.dtypes.StringDType()),
    ],
    ids=lambda truth: f"{type(truth).__name__}-{list(truth)[4]!r}",
)
def test_names_and_what_is_unknown(truth: Any) -> None:
    expected = cutjoin.score([0, 0, 1, 1, -1, 2], PREDICTED, replicates=0)
    assert cutjoin.score(truth, PREDICTED, replicates=0) == expected
    mirrored = cutjoin.score(TRUTH, truth, replicates=0)  # there it is noise
    assert mirrored == cutjoin.score(TRUTH, [0, 0, 1, 1, -1, 2], replicates=0)
    assert mirrored.noise == 1


def test_yes_and_no_are_names_too() -> None:
    assert cutjoin.score([True, True, False], ["y", "y", "n"], replicates=0).values["ari"] == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=30))
def test_only_equality_of_names_matters(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = zip(*pairs, strict=True)
    codes = [["abc".index(t) for t in truth], ["zyx".index(p) * 10 for p in predicted]]
    by_name = cutjoin.score(truth, predicted, replicates=0).values
    assert by_name == pytest.approx(cutjoin.score(codes[0], codes[1], replicates=0).values)


@pytest.mark.parametrize(
    ("truth", "predicted", "why"),
    [
        ([0, 1], [0], "truth has 2 labels, the prediction 1"),
        ([], [], "no image has a true label"),
        ([None, None], [0, 1], "no image has a true label"),
        ([np.nan, np.nan], [0, 1], "no image has a true label"),
        ([0.5, 1], [0, 1], "must be integers"),
        ([0, 1], [np.inf, 1], "must be integers"),
        ([[0, 1]], [0, 1], "one dimension"),
        (["a", "b"], [["a", "b"]], "one dimension"),
        ([0, [1]], [0, 1], "one entry per image"),
    ],
)
def test_what_cannot_be_scored(truth: ArrayLike, predicted: ArrayLike, why: str) -> None:
    with pytest.raises(DataError, match=why):
        cutjoin.score(truth, predicted)


def test_noise_level_and_replicates() -> None:
    dropped = cutjoin.score(TRUTH, PREDICTED, noise="drop", replicates=0)
    assert (dropped.n, dropped.coverage, dropped.intervals) == (5, 5 / 6, {})
    narrow, wide = (cutjoin.score(TRUTH, PREDICTED, level=level).intervals["acc"] for level in (0.5, 0.99))
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]
    assert cutjoin.score(TRUTH, PREDICTED, seed=1) == cutjoin.score(TRUTH, PREDICTED, seed=1)


COSTS = np.array([[0.0, 2, -1], [2, 0, -3], [-1, -3, 0]])


def test_costs_are_solved_as_the_solver_does() -> None:
    found, expected = cutjoin.multicut(COSTS), solve(COSTS)
    assert found.labels.tolist() == expected.labels.tolist() == [0, 0, 1]
    assert (found.objective, found.upper_bound, found.gap, found.status) == (2, 2, 0, "optimal")
    greedy = cutjoin.multicut(COSTS, solver="greedy")
    assert (greedy.status, greedy.certificate) == ("greedy", None)
    sparse = SparseCosts(3, [0, 1], [1, 2], [2.0, -3.0])
    assert cutjoin.multicut(sparse).labels.tolist() == [0, 0, 1]


def test_probabilities_become_costs() -> None:
    p = np.array([[1, 0.8, 0.4], [0.8, 1, 0.1], [0.4, 0.1, 1]])
    found = cutjoin.multicut(probabilities=p)
    assert found.objective == solve(costs_from_probabilities(p)).objective == pytest.approx(np.log(4))
    shifted = cutjoin.multicut(probabilities=p, prior=0.1)
    assert shifted.labels.tolist() == [0, 1, 2]  # 0.8 after as many joins as cuts is little evidence here
    assert shifted.objective == solve(costs_from_probabilities(p, prior=0.1)).objective


def test_a_certificate_proves_the_bound_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    costs = rng.normal(size=(12, 12))
    costs = costs + costs.T
    found = cutjoin.multicut(costs, solver="exact", certificate=True)
    assert found.certificate is not None
    bound = cutjoin.verify(found.certificate, costs)
    assert found.objective <= found.upper_bound <= bound + 1e-9
    with pytest.raises(DataError):
        cutjoin.verify(found.certificate, -costs)


@pytest.mark.parametrize(
    ("how", "error", "why"),
    [
        ({}, UsageError, "either costs or probabilities"),
        ({"costs": COSTS, "probabilities": COSTS}, UsageError, "either costs or probabilities"),
        ({"costs": COSTS, "prior": 0.1}, UsageError, "prior applies to probabilities only"),
        ({"costs": COSTS, "solver": "exactt"}, UsageError, "not one of auto, greedy, exact"),
        ({"costs": COSTS, "solver": "greedy", "certificate": True}, UsageError, "certificate"),
        ({"costs": COSTS[:2]}, DataError, "square"),
        ({"costs": np.triu(COSTS)}, DataError, "not symmetric"),
        ({"costs": COSTS * np.nan}, DataError, "finite"),
        ({"probabilities": COSTS}, DataError, "not within"),
        ({"probabilities": np.eye(2), "prior": 1.5}, DataError, "prior"),
    ],
)
def test_wrong_calls(how: dict[str, Any], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        cutjoin.multicut(**how)
