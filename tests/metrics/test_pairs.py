from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from sklearn import metrics as sk

from bench.metrics.contingency import Contingency, contingency
from bench.metrics.names import METRICS
from bench.metrics.pairs import LARGEST_N, adjusted_rand_index, pair_counts
from bench.metrics.tables import Tables, value
from tests.metrics.tables import PAIRS_OF_LABELS, extreme, noisy


def brute(truth, pred):
    jj = jc = cj = cc = 0
    for a, b in itertools.combinations(range(len(truth)), 2):
        t, p = truth[a] == truth[b], pred[a] == pred[b]
        jj, jc, cj, cc = jj + (t and p), jc + (t and not p), cj + (p and not t), cc + (not t and not p)
    return jj, jc, cj, cc


def measured(name, labels):
    return float(value(METRICS[name], Tables(contingency(*labels)))[0])


def counts(truth, pred):
    return tuple(int(x[0]) for x in pair_counts(contingency(truth, pred)))


@given(PAIRS_OF_LABELS)
def test_counts_agree_with_listing_every_pair(labels):
    found = counts(*labels)
    assert found == brute(*labels)
    assert sum(found) == labels[0].size * (labels[0].size - 1) // 2


@given(PAIRS_OF_LABELS)
def test_swapping_truth_and_prediction_swaps_false_cuts_and_false_joins(labels):
    jj, jc, cj, cc = counts(*labels)
    assert counts(*labels[::-1]) == (jj, cj, jc, cc)


def test_counts_are_exact_far_beyond_the_precision_of_floats():
    sizes = [[1_000_000_007, 3, 999_999_937], [11, 500_000_003, 1]]
    rows, cols = np.divmod(np.arange(6), 3)
    found = pair_counts(Contingency(rows, cols, np.array(sizes).reshape(1, -1)))

    def pairs(x):
        return x * (x - 1) // 2

    both = sum(pairs(x) for row in sizes for x in row)
    in_truth = sum(pairs(sum(row)) for row in sizes)
    in_pred = sum(pairs(sum(col)) for col in zip(*sizes, strict=True))
    total = pairs(sum(map(sum, sizes)))
    assert min(both, in_truth, in_pred) > 2**53
    assert float(both) != both, "the case must need more than 53 bits"
    expected = (both, in_truth - both, in_pred - both, total - in_truth - in_pred + both)
    assert tuple(int(x[0]) for x in found) == expected


def test_the_largest_number_of_images_still_fits():
    one = Contingency(np.zeros(1, int), np.zeros(1, int), np.array([[LARGEST_N]]))
    assert int(pair_counts(one).join_join[0]) == LARGEST_N * (LARGEST_N - 1) // 2
    with pytest.raises(OverflowError, match="3000000001"):
        pair_counts(Contingency(one.rows, one.cols, one.counts + 1))


@given(PAIRS_OF_LABELS)
def test_rand_indices_are_those_of_scikit_learn(labels):
    c = pair_counts(contingency(*labels))
    assert measured("ri", labels) == pytest.approx(sk.rand_score(*labels), abs=1e-14)
    assert adjusted_rand_index(c)[0] == pytest.approx(sk.adjusted_rand_score(*labels), abs=1e-14)


@pytest.mark.parametrize("labels", [*extreme(), noisy(500_000, 30, 40)])
def test_rand_indices_at_the_edges(labels):
    c = pair_counts(contingency(*labels))
    assert measured("ri", labels) == pytest.approx(sk.rand_score(*labels), abs=1e-14)
    assert adjusted_rand_index(c)[0] == pytest.approx(sk.adjusted_rand_score(*labels), abs=1e-14)


@pytest.mark.slow
@given(PAIRS_OF_LABELS)
def test_precision_and_recall_are_those_of_the_list_of_pairs(labels):
    together = [np.equal.outer(x, x)[np.triu_indices(x.size, 1)] for x in labels]
    for what in ("cuts", "joins"):
        found = [measured(f"{name}_{what}", labels) for name in ("precision", "recall", "f1")]
        t, p = (~x if what == "cuts" else x for x in together)
        expected = [
            sk.precision_score(t, p, zero_division=1) if p.size else 1.0,
            sk.recall_score(t, p, zero_division=1) if p.size else 1.0,
            sk.f1_score(t, p, zero_division=1) if p.size else 1.0,
        ]
        assert found == pytest.approx(expected, abs=1e-14)


def test_empty_denominators_give_one():
    labels = np.zeros(4, int), np.arange(4)
    cuts, joins = (
        [measured(f"{name}_{what}", labels) for name in ("precision", "recall", "f1")]
        for what in ("cuts", "joins")
    )
    assert cuts == [0, 1, 0], "truth cuts no pair"
    assert joins == [1, 0, 0], "the prediction joins no pair"
