from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from sklearn import metrics as sk

from bench.metrics import matching
from bench.metrics.contingency import contingency
from bench.metrics.matching import accuracy, f1, match
from tests.metrics.tables import PAIRS_OF_LABELS, extreme, noisy


def measured(truth, pred):
    table = contingency(truth, pred)
    matched = match(table)
    weighted, macro = f1(table, matched)
    return float(accuracy(table, matched)[0]), float(weighted[0]), float(macro[0])


def relabelled(truth, pred):
    """Return codes of truth, and predictions renamed to their class, or past all classes if unmatched."""
    table = contingency(truth, pred)
    names = np.arange(pred.max() + 1) + truth.size + 10
    clusters = np.unique(pred)
    for row, cell in enumerate(match(table)[0]):
        if cell >= 0:
            assert table.rows[cell] == row
            names[clusters[table.cols[cell]]] = row
    return np.unique(truth, return_inverse=True)[1], names[pred]


def best_share(truth, pred):
    matrix = sk.cluster.contingency_matrix(truth, pred)
    return matrix[linear_sum_assignment(matrix, maximize=True)].sum() / truth.size


def check_against_scikit_learn(truth, pred):
    acc, weighted, macro = measured(truth, pred)
    assert acc == pytest.approx(best_share(truth, pred), abs=1e-15)
    t, p = relabelled(truth, pred)
    classes = np.unique(t)
    options = {"labels": classes, "zero_division": 0}
    assert acc == pytest.approx(sk.accuracy_score(t, p), abs=1e-15)
    assert acc == pytest.approx(sk.recall_score(t, p, average="weighted", **options), abs=1e-14)
    assert weighted == pytest.approx(sk.f1_score(t, p, average="weighted", **options), abs=1e-14)
    assert macro == pytest.approx(sk.f1_score(t, p, average="macro", **options), abs=1e-14)


@pytest.mark.slow
@given(PAIRS_OF_LABELS)
def test_accuracy_and_f1_are_those_of_the_relabelled_predictions(labels):
    check_against_scikit_learn(*labels)


@pytest.mark.parametrize(
    "labels",
    [*extreme(), noisy(3772, 5, 60), noisy(5000, 60, 5), noisy(5000, 121, 121), noisy(2000, 300, 900)],
)
def test_more_and_fewer_clusters_than_classes(labels):
    check_against_scikit_learn(*labels)


@settings(max_examples=50)
@given(PAIRS_OF_LABELS, st.permutations(range(6)), st.permutations(range(8)))
def test_renaming_changes_nothing(labels, names_t, names_p):
    renamed = np.array(names_t)[labels[0]], np.array(names_p)[labels[1]]
    assert measured(*renamed) == pytest.approx(measured(*labels), abs=1e-12)


def test_among_equally_accurate_matchings_the_one_with_the_greatest_weighted_f1():
    rng = np.random.default_rng(0)
    for _ in range(200):
        truth, pred = rng.choice(4, 30, p=[0.6, 0.2, 0.1, 0.1]), rng.integers(0, 4, 30)
        table = np.zeros((4, 4), int)
        np.add.at(table, (truth, pred), 1)
        f1_of_pair = (
            2 * table / np.maximum(table.sum(1)[:, None] + table.sum(0), 1) * table.sum(1)[:, None] / 30
        )
        orders = [(np.arange(4), np.array(order)) for order in itertools.permutations(range(4))]
        best = max(table[o].sum() for o in orders)
        greatest = max(f1_of_pair[o].sum() for o in orders if table[o].sum() == best)
        acc, weighted, _ = measured(truth, pred)
        assert acc == best / 30
        assert greatest - 1e-3 <= weighted <= greatest + 1e-12


@settings(max_examples=50)
@given(PAIRS_OF_LABELS)
def test_both_solvers_find_the_same(labels):
    dense = measured(*labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_DENSE_ENTRIES", -1)
        assert measured(*labels) == pytest.approx(dense, abs=1e-12)


@settings(max_examples=50)
@given(PAIRS_OF_LABELS, st.integers(0, 2**32))
def test_several_tables_at_once_are_as_one_by_one(labels, seed):
    table = contingency(*labels)
    counts = np.random.default_rng(seed).integers(0, 4, (3, table.rows.size))
    counts[:, 0] += 1 + counts.sum(axis=1).max() - counts.sum(axis=1)  # all tables have equally many images
    tables = table.with_counts(counts)
    together = match(tables)
    together_f1 = f1(tables, together)
    for i in range(3):
        t, p = (np.repeat(x, counts[i]) for x in (table.rows, table.cols))
        expected = measured(t, p)
        found = accuracy(tables, together)[i], together_f1[0][i], together_f1[1][i]
        assert found == pytest.approx(expected, abs=1e-12)
