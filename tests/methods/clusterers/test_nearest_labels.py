from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DataError
from bench.metrics.label_free import consensus
from tests.methods import adapter, blobs, make_run, to_cluster


def cluster(features: Any, truth: Any, seed: int = 0, **parameters: Any) -> tuple[np.ndarray, dict[str, Any]]:
    run = make_run(seed)
    data = replace(to_cluster(np.asarray(features)), labels=np.asarray(truth, np.int64))
    labels = adapter("clusterers", "nearest_labels", **parameters).cluster(data, run)
    assert labels.dtype == np.int64
    return labels, run.facts["few_labels"]  # type: ignore[return-value]


def by_hand(x: np.ndarray, truth: np.ndarray, given_: np.ndarray, k: int) -> np.ndarray:
    """Name images one by one, in words: the nearest given others vote."""
    named = []
    for i in range(len(x)):
        others = [j for j in given_ if j != i]
        others.sort(key=lambda j: float(np.linalg.norm(x[i] - x[j])))
        classes = [int(truth[j]) for j in others[:k]]
        most = max(classes.count(c) for c in classes)
        named.append(next(c for c in classes if classes.count(c) == most))
    return np.array(named)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(3, 30))
def test_all_labels_equal_the_definition(seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    x, truth = rng.normal(size=(n, 2)).astype(np.float32), rng.integers(0, 3, n)
    labels, facts = cluster(x, truth, per_class="all", neighbours=k)
    np.testing.assert_array_equal(labels, by_hand(x.astype(float), truth, np.arange(n), k))
    assert facts == {"given": n, "images": 0, "accuracy": None, "largest_class": None}


def test_all_labels_and_one_neighbour_are_the_consensus() -> None:
    rng = np.random.default_rng(0)
    x, truth = rng.normal(size=(300, 3)).astype(np.float32), rng.integers(0, 3, 300)
    labels, _ = cluster(x, truth, per_class="all")
    assert np.mean(labels == truth) == consensus(x.astype(np.float64), truth)


def test_few_labels_name_well_separated_classes() -> None:
    x, truth = blobs((40, 30, 5))
    labels, facts = cluster(x, truth, per_class=10)
    np.testing.assert_array_equal(labels, truth)
    assert facts["given"] == 25  # all five of the small class
    assert facts["images"] == 50
    assert facts["accuracy"] == 1
    assert facts["largest_class"] == 30 / 50


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_no_label_names_its_own_image(seed: int, per_class: int) -> None:
    rng = np.random.default_rng(seed)
    x, truth = rng.normal(size=(60, 2)), rng.permutation(np.repeat(np.arange(3), 20))
    labels, facts = cluster(x, truth, seed, per_class=per_class)
    assert facts["given"] == 3 * per_class
    changed = truth.copy()
    changed[0] = (truth[0] + 1) % 3  # every class keeps images enough for as many labels
    alone, _ = cluster(x, truth, seed, per_class="all")
    without, _ = cluster(x, changed, seed, per_class="all")
    assert alone[0] == without[0]
    if per_class == 1:  # a given image has no other of its class to be named by
        assert np.sum(labels == truth) <= 57


def test_labels_that_say_nothing_score_as_chance() -> None:
    rng = np.random.default_rng(0)
    x, truth = rng.normal(size=(4000, 2)), rng.integers(0, 4, 4000)
    for per_class in (10, "all"):
        labels, _ = cluster(x, truth, per_class=per_class)
        assert np.mean(labels == truth) == pytest.approx(0.25, abs=0.03)


def test_duplicates_name_each_other_and_never_themselves() -> None:
    labels, _ = cluster(np.zeros((6, 2)), [0, 0, 1, 1, 1, 1], per_class="all", neighbours=5)
    assert labels.tolist() == [1] * 6


def test_unknown_labels_are_never_given_but_named() -> None:
    x, truth = blobs((20, 20))
    hidden = np.where(np.arange(40) < 10, -1, truth)
    labels, facts = cluster(x, hidden, per_class=5)
    np.testing.assert_array_equal(labels, truth)
    assert (facts["given"], facts["images"]) == (10, 20)


def test_the_seed_decides_who_is_labelled() -> None:
    rng = np.random.default_rng(0)
    x, truth = rng.normal(size=(200, 2)), rng.integers(0, 3, 200)
    one, _ = cluster(x, truth, 0)
    np.testing.assert_array_equal(one, cluster(x, truth, 0)[0])
    assert (one != cluster(x, truth, 1)[0]).any()
    assert adapter("clusterers", "nearest_labels").depends_on_seed()
    assert not adapter("clusterers", "nearest_labels", per_class="all").depends_on_seed()


def test_too_few_labels_are_refused() -> None:
    for truth in ([-1, -1, -1], [0, -1, -1]):
        with pytest.raises(
            DataError, match=r"nearest_labels: \d labelled images among 3; it needs at least 2"
        ):
            cluster(np.zeros((3, 2)), truth)
