from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.cluster import contingency_matrix

from bench.metrics.contingency import contingency
from tests.metrics.tables import PAIRS_OF_LABELS


def dense(table):
    matrix = np.zeros((table.rows.max() + 1, table.cols.max() + 1), int)
    matrix[table.rows, table.cols] = table.counts[0]
    return matrix


@given(PAIRS_OF_LABELS)
def test_equal_to_scikit_learn(labels):
    table = contingency(*labels)
    expected = contingency_matrix(*labels)
    assert np.array_equal(dense(table), expected)
    assert np.array_equal(table.row_sums[0], expected.sum(axis=1))
    assert np.array_equal(table.col_sums[0], expected.sum(axis=0))
    assert (table.counts > 0).all()
    assert table.n == labels[0].size


@pytest.mark.slow
@given(
    PAIRS_OF_LABELS,
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8, max_size=8, unique=True),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8, max_size=8, unique=True),
)
def test_ids_are_names(labels, names_t, names_p):
    t, p = np.array(names_t)[labels[0]], np.array(names_p)[labels[1]]
    assert np.array_equal(dense(contingency(t, p)), contingency_matrix(t, p))


@pytest.mark.parametrize(
    ("scale_t", "scale_p"), [(1, 1), (900, 1), (1, 900), (900, 900), (10**13, 1), (1, -(10**13))]
)
def test_every_way_of_counting(scale_t, scale_p):
    rng = np.random.default_rng(0)
    t, p = rng.integers(-100, 100, 20_000) * scale_t, rng.integers(0, 150, 20_000) * scale_p
    assert np.array_equal(dense(contingency(t, p)), contingency_matrix(t, p))


@given(PAIRS_OF_LABELS, st.data())
def test_images_alone_are_clusters_of_their_own(labels, data):
    t, p = labels
    alone = np.array(data.draw(st.lists(st.booleans(), min_size=t.size, max_size=t.size)))
    own = np.where(alone, 100 + np.arange(t.size), p)
    assert np.array_equal(dense(contingency(t, p, alone)), contingency_matrix(t, own))


def test_several_tables_share_their_cells():
    table = contingency(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]))
    both = table.with_counts(np.array([[1, 1, 1, 1], [0, 3, 0, 1]]))
    assert both.row_sums.tolist() == [[2, 2], [3, 1]]
    assert both.col_sums.tolist() == [[1, 2, 1], [0, 3, 1]]
