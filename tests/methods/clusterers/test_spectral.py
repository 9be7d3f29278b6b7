from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

from bench.errors import DataError
from bench.learning.neighbours import join_components, neighbour_graph
from tests.methods import adapter, blobs, make_run, same_partition, to_cluster


def run_on(features, **parameters):
    run = make_run()
    return adapter("clusterers", "spectral", **parameters).cluster(to_cluster(features), run), run.facts


def test_separates_what_kmeans_cannot():
    features, truth = make_moons(600, noise=0.05, random_state=0)
    found, facts = run_on(features, k=2)
    assert adjusted_rand_score(truth, found) == 1
    assert adjusted_rand_score(truth, KMeans(2, n_init=3, random_state=0).fit_predict(features)) < 0.6
    assert facts["eigensolver"] == "arpack"


@pytest.mark.parametrize("n", [150, 500])
def test_equals_sklearn_on_the_same_graph(n):
    features, _ = blobs((n // 2, n // 3, n // 6), distance=5.0, dims=3)
    graph, _ = join_components(neighbour_graph(features, 10, seed=0), features)
    oracle = SpectralClustering(3, affinity="precomputed", eigen_solver="arpack", random_state=0)
    found, facts = run_on(features, k=3)
    assert adjusted_rand_score(oracle.fit_predict(graph), found) > 0.98
    assert facts["eigensolver"] == ("dense" if n <= 200 else "arpack")


@pytest.mark.skipif(importlib.util.find_spec("pyamg") is None, reason="pyamg is not installed")
def test_amg_agrees():
    features, _ = blobs((200, 150, 100), distance=5.0, dims=3)
    found, facts = run_on(features, k=3, solver="amg")
    assert facts["eigensolver"] == "amg"
    assert adjusted_rand_score(run_on(features, k=3)[0], found) > 0.98


def test_amg_without_pyamg(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyamg", None)
    features, _ = blobs((200, 150))
    with pytest.raises(DataError, match="pyamg"):
        run_on(features, k=2, solver="amg")


@pytest.mark.parametrize("k", [2, 3, 4])
def test_more_and_fewer_pieces_than_clusters(k):
    # Three far pieces: k = 2 must join whole pieces, k = 4 must split one.
    features, truth = blobs((120, 110, 100), distance=300.0)
    found, facts = run_on(features, k=k)
    assert facts["components"] == 3
    assert len(set(found.tolist())) == k
    pieces = [set(found[truth == t].tolist()) for t in range(3)]
    if k <= 3:
        assert all(len(p) == 1 for p in pieces)
    else:
        assert same_partition(np.array([min(p) for p in pieces])[truth], truth)
        assert sorted(len(p) for p in pieces) == [1, 1, 2]


def test_many_tiny_pieces_of_copies():
    rng = np.random.default_rng(0)
    spots = np.concatenate([rng.normal(size=(20, 2)), rng.normal(size=(20, 2)) + 30])
    features, truth = np.repeat(spots, 12, axis=0), np.repeat([0, 1], 240)
    found, facts = run_on(features, k=2)
    assert facts["components"] == 40
    assert adjusted_rand_score(truth, found) == 1


@pytest.mark.parametrize("n", [90, 450])
def test_embedding_solves_the_random_walk(n):
    features = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    graph, _ = join_components(neighbour_graph(features, 10, seed=0), features)
    rows = adapter("clusterers", "spectral")._embed(graph, 4, make_run())
    walk = graph.toarray() / graph.toarray().sum(axis=1, keepdims=True)
    values = np.sort(np.linalg.eigvals(walk).real)[-4:]
    np.testing.assert_allclose(walk @ rows, rows * values, atol=1e-8)
    np.testing.assert_allclose(rows[:, -1], rows[0, -1])
