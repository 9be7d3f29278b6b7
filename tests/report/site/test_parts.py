"""The numbers behind the pictures, against other ways to compute them."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from bench.interfaces import Json
from bench.metrics.score import score
from bench.report.drawing.columns import ImageColumn
from bench.report.site import embedding
from bench.report.site.confusion import confusion, markup
from bench.report.site.curves import curves, ticks
from tests.report.site.made import Wish, make
from tests.util.test_html import Reader


def labels(most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(-1, most), min_size=40, max_size=40)


@pytest.mark.slow
@given(labels(8), labels(8))
def test_the_diagonal_is_what_accuracy_counts(truth: list[int], pred: list[int]) -> None:
    t, c = np.array(truth), np.array(pred)
    assume((t >= 0).any())
    found = confusion(t, c, [f"c{i}" for i in range(9)])
    assert found is not None
    assert found.counts.sum() == (t >= 0).sum()
    for i, name in enumerate(found.classes):
        for j, cluster in enumerate(found.clusters):
            wanted = -1 if cluster == "noise" else int(cluster)
            assert found.counts[i, j] == ((t == int(name[1:])) & (c == wanted)).sum()
    diagonal = sum(int(found.counts[i, i]) for i, own in enumerate(found.matched) if own)
    wanted_accuracy = score(t, c, replicates=0).values["acc"] * (t >= 0).sum()
    # a class matched to one image of noise has its match within the column of all noise
    noise_matches = wanted_accuracy - diagonal
    unmatched = len(found.classes) - sum(found.matched)
    assert -1e-9 <= noise_matches <= unmatched + 1e-9
    if not (c[t >= 0] < 0).any():
        assert noise_matches == pytest.approx(0)


def test_many_classes_and_clusters_are_summed_and_nothing_is_lost() -> None:
    rng = np.random.default_rng(0)
    t, c = rng.integers(50, size=5000), rng.integers(-1, 80, size=5000)
    found = confusion(t, c, [f"c{i}" for i in range(50)])
    assert found is not None
    assert found.counts.shape == (31, 32)
    assert (found.classes[-1], found.clusters[-2:]) == ("20 other classes", ["50 others", "noise"])
    assert found.counts.sum() == 5000
    assert Reader(markup(found)).elements.count("tr") == 33
    assert confusion(np.full(3, -1), np.zeros(3, np.int64), []) is None


@given(labels(4), labels(4))
def test_the_diagonal_of_a_classifier_is_what_it_got_right(truth: list[int], pred: list[int]) -> None:
    t, c = np.array(truth), np.abs(pred)
    assume((t >= 0).any())
    found = confusion(t, c, ["a", "b", "c", "d", "e"], predicted=True)
    assert found is not None
    assert found.clusters[: len(found.classes)] == found.classes
    assert found.matched == [name in found.classes for name in found.clusters]
    assert np.trace(found.counts) == ((t == c) & (t >= 0)).sum()
    for i, name in enumerate(found.classes):
        for j, other in enumerate(found.clusters):
            assert found.counts[i, j] == ((t == "abcde".index(name)) & (c == "abcde".index(other))).sum()


@pytest.mark.parametrize(("n", "d"), [(300, 40), (40, 300), (5, 2), (4, 1), (1, 3)])
def test_principal_components_are_those_of_scikit_learn(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    x = (rng.normal(size=(n, d)) * np.geomspace(1, 0.1, d) + 5).astype(np.float32)
    found = embedding.principal(x)
    kept = min(2, n, d)
    assert found.shape == (n, 2)
    assert not found[:, kept:].any()
    if n > 1:
        wanted = PCA(kept).fit_transform(x.astype(np.float64))
        assert (found**2).sum() == pytest.approx((wanted**2).sum(), rel=1e-3)
        for a, b in zip(found.T, wanted.T, strict=False):
            assert abs(np.corrcoef(a, b)[0, 1]) > 0.999
    assert embedding.principal(x).tobytes() == found.tobytes()


def test_constant_features_fall_on_one_point() -> None:
    assert not embedding.principal(np.full((9, 4), 7, np.float32)).any()


def test_a_sample_is_sorted_and_repeats() -> None:
    assert embedding.sample(5, 9).tolist() == [0, 1, 2, 3, 4]
    some = embedding.sample(1000, 100)
    assert len(set(some.tolist())) == 100
    assert (np.diff(some) > 0).all()
    assert (some == embedding.sample(1000, 100)).all()


def column(groups: Sequence[str], codes: Sequence[int], *, ordered: bool) -> Json:
    of = ImageColumn("x", list(groups), np.array(codes), ordered)
    return embedding.described(of, np.arange(len(codes)))


def test_groups_beyond_the_twenty_largest_share_a_look() -> None:
    codes = [*range(30), *range(5, 30), -1]
    said = column([f"g{i}" for i in range(30)], codes, ordered=False)
    assert isinstance(said, dict)
    assert said["legend"] == [f"g{i}" for i in (*range(5, 25),)]
    assert said["looks"] == [-1] * 5 + list(range(20)) + [-1] * 5
    back = np.frombuffer(base64.b64decode(str(said["codes"])), "<u2")
    assert back.tolist() == [*codes[:-1], 65535]


def test_ordered_groups_share_a_scale_of_eight_steps() -> None:
    said = column([str(i) for i in range(20)], list(range(20)), ordered=True)
    assert isinstance(said, dict)
    assert said["legend"] == [
        "0 to 2",
        "3 to 4",
        "5 to 7",
        "8 to 9",
        "10 to 12",
        "13 to 14",
        "15 to 17",
        "18 to 19",
    ]
    two = column(["1", "2"], [0, 1], ordered=True)
    assert isinstance(two, dict)
    assert (two["ordered"], two["legend"]) == (False, ["1", "2"])


@pytest.mark.slow
@settings(max_examples=300)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
@example(5e-324, 0.0)
def test_ticks_are_even_round_and_enclose(low: float, span: float) -> None:
    assume(span == 0 or span > max(1e-6 * abs(low), 1e-9))
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 8
    slack = 1e-9 * max(1, abs(low), span)
    assert found[0] <= low + slack
    assert found[-1] >= low + span - slack
    steps = np.diff(found)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-2)
    digits = steps[0] / 10 ** math.floor(math.log10(steps[0] * 1.0001))
    assert min(abs(digits - m) for m in (1, 2, 5, 10)) < 0.05


def test_a_curve_has_a_line_per_seed_and_says_its_ends(tmp_path_factory: pytest.TempPathFactory) -> None:
    records = list(make(tmp_path_factory.mktemp("c"), Wish(methods=("one",))).records.values())
    (figure,) = curves(records)
    assert figure.count("<polyline") == 2
    assert "eye: loss, by step. seed 0: 3 to 1.25; seed 1: 3 to 1.25" in figure
    assert "nan" not in figure
