from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.stats import entropy
from sklearn import metrics as sk

from bench.metrics.contingency import contingency
from bench.metrics.expected import expected_information
from bench.metrics.information import (
    adjusted_mutual_information,
    information,
    normalized_mutual_information,
)
from tests.metrics.tables import PAIRS_OF_LABELS, extreme, noisy


def found(labels):
    table = contingency(*labels)
    h = information(table)
    expected = expected_information(table.row_sums, table.col_sums, table.n)
    ami = adjusted_mutual_information(h, expected)
    return h, float(normalized_mutual_information(h)[0]), float(ami[0])


def definition(truth, pred):
    """H(truth), H(pred), H(pred | truth), H(truth | pred) in bits, from the probabilities themselves."""
    joint = np.array(
        [[np.mean((truth == t) & (pred == p)) for p in np.unique(pred)] for t in np.unique(truth)]
    )
    t, p = joint.sum(1), joint.sum(0)
    return (
        entropy(t, base=2),
        entropy(p, base=2),
        sum(w * entropy(row, base=2) for w, row in zip(t, joint, strict=True)),
        sum(w * entropy(col, base=2) for w, col in zip(p, joint.T, strict=True)),
    )


@pytest.mark.slow
@given(PAIRS_OF_LABELS)
def test_entropies_follow_their_definition(labels):
    h, _, _ = found(labels)
    assert [float(x[0]) for x in h] == pytest.approx(definition(*labels), abs=1e-13)


@pytest.mark.slow
@given(PAIRS_OF_LABELS)
def test_nmi_and_ami_are_those_of_scikit_learn(labels):
    _, nmi, ami = found(labels)
    assert nmi == pytest.approx(sk.normalized_mutual_info_score(*labels), abs=1e-12)
    assert ami == pytest.approx(sk.adjusted_mutual_info_score(*labels), abs=1e-9)


@pytest.mark.parametrize(
    "labels",
    [*extreme(), noisy(3772, 5, 60), noisy(20_000, 121, 121), noisy(200_000, 5, 6), noisy(5000, 3, 4, 0.0)],
)
def test_nmi_and_ami_at_the_edges(labels):
    _, nmi, ami = found(labels)
    assert nmi == pytest.approx(sk.normalized_mutual_info_score(*labels), abs=1e-12)
    assert ami == pytest.approx(sk.adjusted_mutual_info_score(*labels), abs=1e-9)


def test_a_perfect_clustering_is_exactly_perfect():
    rng = np.random.default_rng(0)
    truth = rng.choice(121, 30_000, p=rng.dirichlet(np.ones(121)))
    h, nmi, ami = found((truth, rng.permutation(121)[truth]))
    assert float(h.false_cuts[0]) == 0
    assert float(h.false_joins[0]) == 0
    assert (nmi, ami) == (1, 1)


def test_false_cuts_are_split_classes_and_false_joins_merged_ones():
    truth = np.repeat([0, 1], 8)
    halves, one = np.repeat([0, 1, 2, 3], 4), np.zeros(16, int)
    h, _, _ = found((truth, halves))
    assert (float(h.false_cuts[0]), float(h.false_joins[0])) == (1, 0)
    h, _, _ = found((truth, one))
    assert (float(h.false_cuts[0]), float(h.false_joins[0])) == (0, 1)
