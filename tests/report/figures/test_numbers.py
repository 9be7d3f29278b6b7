"""The numbers in figures: shares, orders, decisions."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from bench.errors import DataError
from bench.report.drawing import columns
from bench.report.drawing.animation import so_far
from bench.report.drawing.columns import ImageColumn
from bench.report.drawing.plane import plane
from bench.report.drawing.style import DrawOptions, applied, percent, write
from bench.report.figures.clusters import decisions
from bench.report.figures.frequencies import shares
from bench.report.figures.similarity import contrast, cosine
from bench.stages.finished import FinishedCell, majority, share_evenly
from tests.report.figures.runs import figure_of as kind

CODES = hnp.arrays(np.int64, 30, elements=st.integers(-1, 4))


def column(codes: Any, n: int = 5) -> ImageColumn:
    return ImageColumn("x", [str(i) for i in range(n)], np.asarray(codes), ordered=True)


@settings(max_examples=50)
@given(CODES, CODES)
def test_shares_are_those_of_the_published_heat_map(clusters: Any, days: Any) -> None:
    m = shares(column(clusters), column(days))
    known = (clusters >= 0) & (days >= 0)
    for x in range(5):
        of_cluster = (clusters == x) & known
        for y in range(5):
            wanted = (of_cluster & (days == y)).sum() / of_cluster.sum() if of_cluster.any() else 0
            assert m[y, x] == pytest.approx(wanted)
        assert m[:, x].sum() == pytest.approx(float(of_cluster.any()))


@settings(max_examples=50)
@given(CODES, CODES)
def test_the_animation_counts_all_days_so_far(clusters: Any, days: Any) -> None:
    m = so_far(column(clusters), column(days))
    for i in range(5):
        now = (days >= 0) & (days <= i) & (clusters >= 0)
        wanted = [(now & (clusters == x)).sum() / max(1, now.sum()) for x in range(5)]
        np.testing.assert_allclose(m[i], wanted)


@settings(max_examples=50)
@given(CODES, CODES)
def test_decisions_are_those_counted_pair_by_pair(truth: Any, clusters: Any) -> None:
    wanted = dict.fromkeys(("right joins", "wrong joins", "right cuts", "wrong cuts"), 0)
    for i, j in combinations(np.flatnonzero(truth >= 0), 2):
        joined = clusters[i] == clusters[j] and clusters[i] >= 0
        right = joined == (truth[i] == truth[j])
        wanted[f"{'right' if right else 'wrong'} {'joins' if joined else 'cuts'}"] += 1
    assert decisions(truth, clusters) == wanted


@settings(max_examples=50)
@given(CODES, st.integers(1, 40))
def test_images_are_shared_out_evenly_and_by_group(groups: Any, most: int) -> None:
    chosen = share_evenly(groups, most)
    assert len(chosen) == min(most, 30) == len(set(chosen.tolist()))
    assert (np.diff(groups[chosen]) >= 0).all()
    for g in np.unique(groups):
        assert abs((groups[chosen] == g).sum() - (groups == g).sum() * len(chosen) / 30) <= 1


@settings(max_examples=30)
@given(CODES)
def test_contrast_is_the_mean_of_pairs(groups: Any) -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    s = cosine(x)
    pairs = [(i, j) for i, j in combinations(range(30), 2) if groups[i] >= 0 and groups[j] >= 0]
    for found, same in zip(contrast(s, groups), (True, False), strict=True):
        wanted = [x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j])
                  for i, j in pairs if (groups[i] == groups[j]) == same]  # fmt: skip
        assert np.isnan(found) if not wanted else found == pytest.approx(np.mean(wanted))


def test_cosine_of_nothing_is_0() -> None:
    assert cosine(np.zeros((3, 2))).tolist() == np.zeros((3, 3)).tolist()


def test_majority() -> None:
    truth = np.array([0, 1, 1, -1, -1, -1])
    assert majority(truth, np.arange(6)) == (1, 2)
    assert majority(truth, np.array([3, 4])) == (-1, 0)


def test_only_all_is_100_percent() -> None:
    assert [percent(x) for x in (0, 0.001, 0.5, 0.996, 1)] == ["0 %", "<1 %", "50 %", ">99 %", "100 %"]


@pytest.mark.slow
def test_similarities_stand_by_class(by_method: dict[str, FinishedCell]) -> None:
    cell = by_method["dino"]
    with applied():
        figure = kind("similarity").draw(cell, DrawOptions()).figure
    order = np.argsort(cell.truth, kind="stable")
    panels = {ax.get_title(loc="left"): ax for ax in figure.axes if ax.images and ax.get_title(loc="left")}
    assert list(panels) == ["0 % of the training", "50 % of the training", "features"]
    assert cell.features is not None
    shown = panels["features"].images[0].get_array()
    assert shown is not None
    np.testing.assert_allclose(np.asarray(shown), cosine(cell.features[order]))
    names = [t.get_text() for t in panels["0 % of the training"].get_yticklabels()]
    assert names == [cell.classes[c] for c in np.unique(cell.truth)]


def test_columns_are_in_natural_order_and_days_are_numbers(by_method: dict[str, FinishedCell]) -> None:
    cell = by_method["pixels"]
    day, bag = columns.grouping(cell)
    assert (day.name, day.groups, day.ordered) == ("day", ["1", "2", "3"], True)
    assert (bag.name, len(bag.groups), bag.ordered) == ("bag", 2, False)
    assert [day.groups[c] for c in day.codes] == [str(v) for v in cell.table["day"]]
    with pytest.raises(DataError, match="did you mean 'day'"):
        columns.column(cell, "dya")
    sizes = [(columns.clusters(cell).codes == i).sum() for i in range(4)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.slow
def test_the_animation_has_a_frame_per_day_that_adds_points_only(
    by_method: dict[str, FinishedCell], tmp_path: Path
) -> None:
    with applied():
        drawing = kind("frequencies").draw(by_method["dino"], DrawOptions())
        files = write(drawing, tmp_path / "f")
    gif = Image.open(files[-1])
    assert getattr(gif, "n_frames", 1) == len(drawing.frames) == 3
    plane_only = [f[40:, : f.shape[1] // 2] for f in drawing.frames]
    empty = [(p == 255).all(axis=2).sum() for p in plane_only]
    assert empty[0] > empty[1] > empty[2]


def test_the_plane_is_the_methods_own_where_it_has_one(by_method: dict[str, FinishedCell]) -> None:
    cell = by_method["dino"]
    assert cell.reduced is not None
    np.testing.assert_array_equal(plane(cell).points, cell.reduced)
    assert "pca" in plane(cell).caption


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pixels", "twin"])
def test_else_it_is_umap_with_a_fixed_seed(by_method: dict[str, FinishedCell], method: str) -> None:
    found = plane(by_method[method])
    assert found.points.shape == (48, 2)
    again = plane.__wrapped__(by_method[method])
    np.testing.assert_array_equal(found.points, again.points)
    assert ("join probabilities" in found.caption) == (method == "twin")


def test_pictures_are_the_prepared_pixels(by_method: dict[str, FinishedCell]) -> None:
    cell = by_method["pixels"]
    np.testing.assert_array_equal(cell.picture(7), np.moveaxis(cell.images.batch(7, 8)[0], 0, -1))
