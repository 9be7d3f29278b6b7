from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

import bench.learning.neighbours
from bench.errors import DataError
from bench.learning.neighbours import join_components, neighbour_graph
from tests.methods import blobs

sizes = st.integers(2, 25)


@settings(max_examples=30)
@given(sizes, st.integers(1, 30), st.integers(0, 10**6))
def test_graph_equals_brute_force(n, neighbours, seed):
    features = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    distance = cdist(features, features) + np.diag(np.full(n, np.inf))
    expected = np.zeros((n, n))
    for i in range(n):
        for j in np.argsort(distance[i])[: min(neighbours, n - 1)]:
            expected[i, j] += 0.5
            expected[j, i] += 0.5
    np.testing.assert_array_equal(neighbour_graph(features, neighbours, seed=0).toarray(), expected)


@pytest.mark.slow
def test_descent_finds_nearly_the_same(monkeypatch):
    features, _ = blobs((150, 150), dims=8)
    exact = neighbour_graph(features, 5, seed=0).toarray() > 0
    monkeypatch.setattr(bench.learning.neighbours, "EXACT_UP_TO", 10)
    found = neighbour_graph(features, 5, seed=3)
    assert (found.toarray() > 0)[exact].mean() > 0.95
    np.testing.assert_array_equal(found.toarray(), neighbour_graph(features, 5, seed=3).toarray())
    np.testing.assert_array_equal(found.toarray(), found.toarray().T)
    assert (found.diagonal() == 0).all()


@settings(max_examples=30)
@given(st.lists(st.integers(3, 8), min_size=1, max_size=9), st.integers(0, 10**6))
def test_joining_adds_a_tree_of_single_edges(groups, seed):
    features, truth = blobs(tuple(groups), dims=3, seed=seed, distance=200.0)
    graph = neighbour_graph(features, 2, seed=0)
    before = connected_components(graph, directed=False)[0]
    joined, count = join_components(graph, features)
    assert count == before >= len(groups)
    assert connected_components(joined, directed=False)[0] == 1
    added = joined - graph
    added.eliminate_zeros()
    assert added.nnz == 2 * (before - 1)
    assert (added.data == 0.5).all()
    across = sum(truth[i] != truth[j] for i, j in zip(*added.nonzero(), strict=True))
    assert across == 2 * (len(groups) - 1)


def test_copies_fall_into_groups_with_one_centre():
    features = np.zeros((30, 2), np.float32)
    joined, count = join_components(neighbour_graph(features, 3, seed=0), features)
    assert count >= 1
    assert connected_components(joined, directed=False)[0] == 1


def test_dust_is_refused(monkeypatch):
    monkeypatch.setattr(bench.learning.neighbours, "MOST_COMPONENTS", 2)
    features, _ = blobs((5, 5, 5))
    with pytest.raises(DataError, match="3 separate groups"):
        join_components(neighbour_graph(features, 2, seed=0), features)
