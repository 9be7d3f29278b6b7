from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.metrics import score as module
from bench.metrics.names import METRICS
from bench.metrics.score import score
from tests.metrics.tables import PAIRS_OF_LABELS, extreme, noisy

SYMMETRIC = ("acc", "nmi", "ari", "ami", "ri", "vi", "f1_cuts", "f1_joins")
SWAPPED = {
    "vi_false_cuts": "vi_false_joins",
    "precision_cuts": "recall_cuts",
    "precision_joins": "recall_joins",
}


def values(truth, pred, **options):
    return score(truth, pred, replicates=0, **options).values


@given(PAIRS_OF_LABELS)
def test_every_metric_is_in_its_range(labels):
    found = values(*labels)
    assert list(found) == list(METRICS)
    for name, metric in METRICS.items():
        assert metric.low <= found[name] <= metric.high, name
    assert found["vi"] == found["vi_false_cuts"] + found["vi_false_joins"]


@given(
    PAIRS_OF_LABELS,
    st.permutations([-7, 0, 3, 2**40, 5, 6]),
    st.permutations([-9, 1, 2, 3, -(2**62), 5, 6, 7]),
)
def test_renaming_changes_nothing(labels, names_t, names_p):
    renamed = np.array(names_t)[labels[0]], np.array(names_p)[labels[1]]
    assert values(*renamed) == pytest.approx(values(*labels), abs=1e-12)


@given(PAIRS_OF_LABELS)
def test_swapping_truth_and_prediction_swaps_the_roles(labels):
    found, swapped = values(*labels), values(*labels[::-1])
    for name in SYMMETRIC:
        assert swapped[name] == pytest.approx(found[name], abs=1e-12), name
    for one, other in SWAPPED.items():
        assert swapped[one] == pytest.approx(found[other], abs=1e-12)
        assert swapped[other] == pytest.approx(found[one], abs=1e-12)


@pytest.mark.slow
@given(PAIRS_OF_LABELS)
def test_a_perfect_clustering_is_exactly_perfect(labels):
    truth = labels[0]
    result = score(truth, 5 - truth, replicates=20)
    for name, metric in METRICS.items():
        best = 1.0 if metric.higher_is_better else 0.0
        assert result.values[name] == best, name
        assert result.intervals[name] == (best, best), name


@pytest.mark.parametrize("labels", list(extreme()))
def test_intervals_hold_at_the_edges(labels):
    result = score(*labels, replicates=30)
    for name, metric in METRICS.items():
        low, high = result.intervals[name]
        assert metric.low <= low <= result.values[name] <= high <= metric.high, name


def test_a_single_image_is_perfect():
    found = values([3], [8])
    assert found == {name: float(metric.higher_is_better) for name, metric in METRICS.items()}


def test_one_cluster_tells_nothing():
    found = values([0, 0, 1, 1], [7, 7, 7, 7])
    assert [found[x] for x in ("acc", "nmi", "ari", "ami", "vi")] == [0.5, 0, 0, 0, 1]
    assert [found[x] for x in ("precision_cuts", "recall_cuts", "f1_cuts")] == [1, 0, 0]


# --- noise and unknown labels


def test_noise_images_are_each_their_own_cluster():
    truth, pred = noisy(300, 4, 6)
    noise = np.arange(300) % 5 == 0
    result = score(truth, np.where(noise, -1, pred), replicates=0)
    assert result.values == pytest.approx(values(truth, np.where(noise, 1000 + np.arange(300), pred)))
    assert (result.n, result.coverage, result.noise) == (300, 1, 60)
    assert result.clusters == np.unique(pred[~noise]).size


def test_dropped_noise_is_left_out_and_the_coverage_says_so():
    truth, pred = noisy(300, 4, 6)
    noise = np.arange(300) % 5 == 0
    result = score(truth, np.where(noise, -1, pred), noise="drop", replicates=0)
    assert result.values == values(truth[~noise], pred[~noise])
    assert (result.n, result.coverage, result.noise) == (240, 0.8, 60)


@pytest.mark.parametrize("policy", ["own_cluster", "drop"])
def test_images_of_unknown_class_are_left_out_whatever_their_prediction(policy):
    truth, pred = noisy(300, 4, 6)
    pred[::7] = -1
    unknown = np.arange(300) % 3 == 0
    result = score(np.where(unknown, -1, truth), pred, noise=policy, replicates=0)
    assert result == score(truth[~unknown], pred[~unknown], noise=policy, replicates=0)


def test_nothing_but_noise():
    truth = np.array([0, 0, 1])
    assert values(truth, [-1, -1, -1]) == values(truth, [0, 1, 2])
    with pytest.raises(DataError, match="all 3 labelled images are noise"):
        score(truth, [-1, -1, -1], noise="drop")


# --- intervals


def test_equal_seeds_have_equal_intervals():
    labels = noisy(500, 5, 8)
    again = [score(*labels, replicates=50, rng=np.random.default_rng(s)).intervals for s in (1, 1, 2)]
    assert again[0] == again[1] != again[2]
    assert score(*labels, replicates=50) == score(*labels, replicates=50)


def test_intervals_shrink_with_the_number_of_images():
    few, many = (score(*noisy(n, 5, 8, seed=3), replicates=300).intervals for n in (400, 40_000))
    for name in METRICS:
        ratio = np.diff(few[name])[0] / np.diff(many[name])[0]
        assert 5 < ratio < 20, f"{name}: about sqrt(100), not {ratio}"


def test_each_image_alone_is_not_credited_with_joins():
    truth = np.repeat(np.arange(4), 50)
    result = score(truth, np.arange(200), replicates=200)
    assert result.values["recall_joins"] == 0
    low, high = result.intervals["recall_joins"]
    assert low == 0
    assert high < 0.005, "plain quantiles of the resamples would lie around 0.02"
    assert result.intervals["vi_false_joins"][0] == 0


@pytest.mark.slow
def test_intervals_cover_the_true_value():
    truth, pred = noisy(200_000, 4, 5, seed=5)
    true = values(truth, pred)
    rng = np.random.default_rng(0)
    hits = dict.fromkeys(METRICS, 0)
    for _ in range(100):
        drawn = rng.integers(0, truth.size, 800)
        intervals = score(truth[drawn], pred[drawn], replicates=200, rng=rng).intervals
        for name, (low, high) in intervals.items():
            hits[name] += low <= true[name] <= high
    assert min(hits.values()) >= 86, hits  # 95 expected; fewer than 86 once in 3,000 times per metric


@pytest.mark.parametrize("limit", ["_MOST_ENTRIES", "_MOST_CELLS"])
def test_large_tables_take_short_cuts_to_about_the_same_intervals(limit, monkeypatch):
    labels = noisy(3000, 6, 9)
    full = score(*labels, replicates=2000)
    monkeypatch.setattr(module, limit, 0)
    monkeypatch.setattr(module, "_FEWEST_REPLICATES", 1000)
    short = score(*labels, replicates=2000)
    assert short.values == full.values
    assert short.intervals != full.intervals, "the short cut must have been taken"
    for name in METRICS:
        width = np.diff(full.intervals[name])[0]
        assert np.abs(np.subtract(short.intervals[name], full.intervals[name])).max() < 0.15 * width, name


def test_a_wider_level_gives_a_wider_interval():
    labels = noisy(500, 5, 8)
    narrow, wide = (score(*labels, replicates=200, level=x).intervals for x in (0.5, 0.99))
    for name in METRICS:
        assert wide[name][0] < narrow[name][0] < narrow[name][1] < wide[name][1], name


# --- what goes in and comes out


def test_json_is_flat():
    result = score(*noisy(100, 3, 4), replicates=10)
    body = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert list(body) == ["n", *METRICS, "coverage", "classes", "clusters", "noise", "intervals"]
    assert body["ami"] == result.values["ami"]
    assert list(body["intervals"]) == list(METRICS)
    assert body["intervals"]["vi"] == list(result.intervals["vi"])
    assert score([0, 1], [0, 1], replicates=0).to_json()["intervals"] == {}


@pytest.mark.parametrize(
    ("truth", "pred", "options", "message"),
    [
        ([0, 1], [0, 1, 2], {}, "truth has 2 labels, the prediction 3"),
        ([], [], {}, "no image has a true label: 0 images"),
        ([-1, -1], [0, 1], {}, "no image has a true label: 2 images"),
        ([0, 1], [0.0, float("nan")], {}, "prediction must be integers, not float64: some are NaN"),
        ([0.0, 1.0], [0, 1], {}, "truth must be integers, not float64: convert"),
        (["a", "b"], [0, 1], {}, "truth must be integers"),
        ([True, False], [0, 1], {}, "truth must be integers, not bool"),
        ([[0, 1]], [[0, 1]], {}, "one dimension, not shape"),
        ([[0], [0, 1]], [0, 1], {}, "not a list of integers"),
        ([0, 1], np.array([0, 2**64 - 1], np.uint64), {}, "64-bit signed"),
        ([0, 1], [0, 1], {"noise": "keep"}, "noise must be own_cluster or drop, not 'keep'"),
        ([0, 1], [0, 1], {"level": 1.0}, "level between 0 and 1"),
        ([0, 1], [0, 1], {"replicates": -1}, "replicates must be at least 0"),
    ],
)
def test_bad_input_is_one_clear_sentence(truth, pred, options, message):
    with pytest.raises(DataError, match=message):
        score(truth, pred, **options)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64])
def test_any_integers_will_do(kind):
    truth, pred = noisy(100, 3, 4)
    assert values(truth.astype(kind), pred.astype(kind)) == values(truth, pred)
