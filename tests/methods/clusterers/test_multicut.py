"""Multicut as a clusterer: of join probabilities, and of features without a k."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.adapters import registry
from bench.interfaces import ToCluster
from tests.methods import make_run

Multicut: Any = registry.load("clusterer", "multicut")


def _blobs(per_class: int, classes: int, noise: float, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, 16))
    labels = np.repeat(np.arange(classes), per_class)
    return (centres[labels] + noise * rng.normal(size=(len(labels), 16))).astype(np.float32), labels


def _same_partition(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a[:, None] == a[None, :], np.asarray(b)[:, None] == np.asarray(b)[None, :]))


def _probabilities(labels: Any, right: float = 0.9) -> Any:
    p = np.where(labels[:, None] == labels[None, :], right, 1 - right).astype(np.float32)
    np.fill_diagonal(p, 1)
    return p


@pytest.mark.parametrize("solver", ["greedy", "exact", "highs", "auto"])
def test_clear_join_probabilities_give_the_classes(solver: Any) -> None:
    _, labels = _blobs(8, 5, 0.1)
    run = make_run()
    found = Multicut(solver=solver).cluster(
        ToCluster(n=len(labels), join_probabilities=_probabilities(labels)), run
    )
    assert _same_partition(found, labels)
    assert run.facts["status"] == ("greedy" if solver == "greedy" else "optimal")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("all_pairs", [4000, 50])
def test_features_need_no_k(metric: Any, all_pairs: int) -> None:
    features, labels = _blobs(40, 6, 0.1)
    found = Multicut(metric=metric, all_pairs=all_pairs).cluster(
        ToCluster(n=len(labels), features=features), make_run()
    )
    assert _same_partition(found, labels)


@pytest.mark.slow
def test_the_seed_plays_no_part() -> None:
    features, _ = _blobs(80, 5, 0.8)  # beyond what auto solves exactly
    data = ToCluster(n=len(features), features=features)
    assert np.array_equal(Multicut().cluster(data, make_run(1)), Multicut().cluster(data, make_run(2)))


def test_a_prior_against_joins_makes_more_clusters() -> None:
    _, labels = _blobs(6, 4, 0.1)
    p = _probabilities(labels, right=0.6)
    data = ToCluster(n=len(labels), join_probabilities=p)
    plain = Multicut().cluster(data, make_run())
    wary = Multicut(prior=0.09).cluster(data, make_run())
    assert len(np.unique(wary)) > len(np.unique(plain))


@pytest.mark.slow
def test_a_threshold_against_joins_makes_more_clusters_of_features_too() -> None:
    features, _ = _blobs(10, 6, 0.6)
    data = ToCluster(n=len(features), features=features)
    counts = [len(np.unique(Multicut(threshold=t).cluster(data, make_run()))) for t in (0.01, 0.5, 0.99)]
    assert counts[0] < counts[1] < counts[2]


def test_auto_is_exact_up_to_300_images_and_greedy_beyond() -> None:
    for n, status in ((300, "optimal"), (301, "greedy")):
        run = make_run()
        labels = np.arange(n) // 10
        Multicut().cluster(ToCluster(n=n, join_probabilities=_probabilities(labels)), run)
        assert run.facts["status"] == status


@pytest.mark.parametrize("n", [1, 2])
def test_very_few_images(n: int) -> None:
    found = Multicut().cluster(ToCluster(n=n, features=np.ones((n, 3), np.float32)), make_run())
    assert found.shape == (n,)
