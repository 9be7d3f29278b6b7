import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats.contingency import association as scipy_association
from sklearn.metrics import normalized_mutual_info_score, pairwise_distances, silhouette_score

from bench.metrics.label_free import association, consensus, score_features, similarity_ratio


def blobs(n: int = 60, k: int = 3, spread: float = 0.3):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, k, n)
    return (np.eye(k, 5)[labels] + 0.5 + rng.normal(0, spread, (n, 5))).astype(np.float32), labels


@given(st.integers(0, 100))
@settings(max_examples=30)
def test_the_ratio_is_that_of_listing_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.random((12, 4)).astype(np.float32), rng.integers(0, 3, 12)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    a, b = np.triu_indices(12, 1)
    cosines, same = (unit @ unit.T)[a, b], y[a] == y[b]
    assert similarity_ratio(x, y) == pytest.approx(cosines[same].mean() / cosines[~same].mean(), rel=1e-4)


def test_the_ratio_is_undefined_without_pairs_of_both_kinds() -> None:
    x = np.ones((3, 2), np.float32)
    assert similarity_ratio(x, np.array([0, 0, 0])) is None
    assert similarity_ratio(x, np.array([0, 1, 2])) is None
    opposite = np.array([[1, 0], [1, 0], [-1, 0]], np.float32)
    assert similarity_ratio(opposite, np.array([0, 0, 1])) is None


def test_consensus_looks_at_the_nearest_other_image() -> None:
    x, y = blobs()
    d = pairwise_distances(x.astype(np.float64))
    np.fill_diagonal(d, np.inf)
    assert consensus(x.astype(np.float64), y) == pytest.approx(np.mean(y[d.argmin(1)] == y))


def test_all_scores_of_features_and_noise_left_out() -> None:
    x, y = blobs()
    found = score_features(x, y, np.random.default_rng(0))
    assert found["silhouette"] == pytest.approx(silhouette_score(x, y), abs=1e-6)
    noisy = np.concatenate([y, [-1] * 20])
    more = np.concatenate([x, np.random.default_rng(1).normal(5, 9, (20, 5))]).astype(np.float32)
    assert score_features(more, noisy, np.random.default_rng(0)) == pytest.approx(found)
    assert score_features(x, np.zeros(60, int), np.random.default_rng(0)) == {}


@given(st.integers(0, 60))
@settings(max_examples=20)
def test_association_agrees_with_scipy_and_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    g = rng.integers(0, 4, 80)
    y = np.where(rng.random(80) < 0.4, g, rng.integers(0, 3, 80))
    found = association(y, [str(v) for v in g], rng, permutations=99)
    table = np.zeros((5, 5))
    np.add.at(table, (g, y), 1)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    assert found["cramers_v"] == pytest.approx(scipy_association(table.astype(int), method="cramer"))
    assert found["nmi"] == pytest.approx(normalized_mutual_info_score(g, y))


def test_p_values_are_small_for_what_goes_together_and_uniform_for_what_does_not() -> None:
    rng = np.random.default_rng(0)
    day = [str(d) for d in rng.integers(0, 3, 300)]
    follows = np.array([int(d) for d in day])
    assert association(follows, day, rng)["p_value"] == pytest.approx(0.001)
    p = [association(rng.integers(0, 4, 300), day, rng, permutations=99)["p_value"] for _ in range(200)]
    assert 0.02 < np.mean(np.array(p) <= 0.1) < 0.18
    assert 0.42 < np.mean(p) < 0.6


def test_noise_and_images_without_the_property_are_left_out() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 1, 1, -1, 0])
    groups = ["a", "a", "b", "b", "a", None]
    assert association(labels, groups, rng)["cramers_v"] == pytest.approx(1.0)
    assert association(np.zeros(4, int), ["a", "b", "a", "b"], rng) == {}
    assert association(np.array([0, 1, 0]), ["a", "a", "a"], rng) == {}
