from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from bench.errors import DataError
from bench.multicut import knn
from bench.multicut.calibration import from_labelled_pairs, without_labels
from bench.multicut.instance import DenseCosts, SparseCosts
from bench.multicut.knn import LabelledPairs, Metric, features_to_costs, nearest_neighbours


def blobs(n: int, classes: int, seed: int = 0, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    centre = rng.normal(size=(classes, 24))
    return (centre[truth] + spread * rng.normal(size=(n, 24))).astype(np.float32), truth


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("dense_limit", [0, 10_000])
@pytest.mark.parametrize("labels", [False, True])
def test_blobs_are_found_without_being_told_how_many(metric: Metric, dense_limit: int, labels: bool) -> None:
    x, truth = blobs(600, 8)
    rng = np.random.default_rng(1)
    i, j = rng.integers(0, 600, 3000), rng.integers(0, 600, 3000)
    labelled = LabelledPairs(i, j, truth[i] == truth[j]) if labels else None
    found = features_to_costs(x, metric, labelled=labelled, dense_limit=dense_limit).greedy()
    assert adjusted_rand_score(truth, found) > 0.97


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_nearest_neighbours_agree_with_scikit_learn(metric: Metric) -> None:
    x = knn._checked(blobs(700, 5)[0], metric)
    near, similarity = nearest_neighbours(x, 6, metric)
    distance, index = NearestNeighbors(n_neighbors=7, metric=metric).fit(x).kneighbors(x)
    assert (near == index[:, 1:]).mean() > 0.999
    expected = 1 - distance[:, 1:] if metric == "cosine" else -distance[:, 1:]
    assert similarity == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_approximate_neighbours_are_nearly_all_right(monkeypatch: pytest.MonkeyPatch) -> None:
    x = knn._checked(blobs(3000, 20)[0], "cosine")
    exact, _ = nearest_neighbours(x, 10, "cosine")
    monkeypatch.setattr(knn, "EXACT_LIMIT", 100)
    near, similarity = nearest_neighbours(x, 10, "cosine")
    assert (near != np.arange(3000)[:, None]).all()
    assert np.mean([len(set(a) & set(b)) for a, b in zip(exact.tolist(), near.tolist(), strict=True)]) > 9.5
    assert (nearest_neighbours(x, 10, "cosine")[0] == near).all()
    assert (np.diff(similarity, axis=1) <= 1e-5).all()


def test_labelled_calibration_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    same = rng.random(4000) < 0.2
    s = rng.normal(np.where(same, 0.7, 0.4), 0.15)
    ours = from_labelled_pairs(s, same)
    theirs = LogisticRegression(C=1e8).fit(s[:, None], same)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=1e-3)
    assert ours.threshold == pytest.approx(-theirs.intercept_[0] / theirs.coef_[0, 0], rel=1e-3)
    balanced = np.append(np.flatnonzero(same), np.flatnonzero(~same)[: same.sum()])
    corrected = from_labelled_pairs(s[balanced], same[balanced], prior=0.2)
    assert corrected.threshold == pytest.approx(ours.threshold, abs=0.02)


def test_separable_pairs_give_a_finite_slope() -> None:
    fitted = from_labelled_pairs(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert np.isfinite(fitted.slope)
    assert 0.2 < fitted.threshold < 0.8


def test_calibration_without_labels_finds_the_crossing_of_two_normal_distributions() -> None:
    rng = np.random.default_rng(0)
    same = rng.random(100_000) < 0.1
    s = rng.normal(np.where(same, 0.8, 0.2), np.where(same, 0.1, 0.15))
    fitted = without_labels(s, rng.normal(0.9, 0.05, 1000))
    grid = np.linspace(0.2, 0.8, 10_001)
    odds = np.log(0.1 / 0.1) - 0.5 * ((grid - 0.8) / 0.1) ** 2
    odds -= np.log(0.9 / 0.15) - 0.5 * ((grid - 0.2) / 0.15) ** 2
    assert fitted.threshold == pytest.approx(grid[np.argmax(odds > 0)], abs=0.01)
    assert fitted.slope == pytest.approx(np.gradient(odds, grid)[np.argmax(odds > 0)], rel=0.1)


@pytest.mark.slow
def test_costs_are_symmetric_seeded_and_clipped() -> None:
    x, _ = blobs(200, 4)
    costs = features_to_costs(x)
    assert isinstance(costs, DenseCosts)
    matrix = costs.matrix
    assert (matrix == matrix.T).all()
    assert np.abs(matrix).max() <= 13.8 + 1e-5
    one, two = (features_to_costs(x, dense_limit=0) for _ in range(2))
    assert isinstance(one, SparseCosts)
    assert isinstance(two, SparseCosts)
    for a, b in ((one.i, two.i), (one.j, two.j), (one.cost, two.cost)):
        assert (a == b).all()


def test_bad_features_are_refused_in_one_sentence() -> None:
    x, _ = blobs(50, 2)
    broken = x.copy()
    broken[7, 3] = np.nan
    outside = LabelledPairs(np.array([0, 50]), np.array([1, 2]), np.array([True, False]))
    one_kind = LabelledPairs(np.array([0, 1]), np.array([1, 2]), np.array([True, True]))
    refused = [
        ({"features": x[0]}, "are not numbers of shape"),
        ({"features": x[:0]}, "are not numbers of shape"),
        ({"features": broken}, "image 7 are not finite"),
        ({"features": np.ones((30, 4))}, "equally similar"),
        ({"features": x[:2]}, "too few"),
        ({"features": x, "labelled": outside}, "name image 50"),
        ({"features": x, "labelled": one_kind}, "all 2 labelled pairs are joins"),
        ({"features": x, "neighbours": 0}, "at least 1"),
        ({"features": x, "metric": "cosin"}, "neither cosine nor euclidean"),
    ]
    for arguments, sentence in refused:
        with pytest.raises(DataError, match=sentence):
            features_to_costs(**arguments)
