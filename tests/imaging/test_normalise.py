from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.imaging import normalise as module
from bench.imaging.normalise import ChannelLimits, normalise
from bench.imaging.pixelfile import PixelFile
from bench.imaging.resize import corner
from bench.interfaces import Run


def make_run(threads: int = 1, report: Callable[..., None] = lambda *_: None) -> Run:
    return Run(0, threads, "cpu", "float32", logging.getLogger("test"), Path(), report)


def normalised(
    folder: Path,
    images: NDArray[Any],
    groups: Sequence[int],
    percentiles: tuple[float, float] = (0.1, 99.9),
    *,
    covered: Sequence[tuple[int, int]] | None = None,
    fill: int = 0,
    run: Run | None = None,
) -> tuple[NDArray[Any], dict[int, ChannelLimits]]:
    """Write images, normalise the file, and return what it holds then."""
    n, size = len(images), images.shape[-1]
    boxes = np.array(covered if covered is not None else [(size, size)] * n, np.uint16)
    with PixelFile(folder / "images.npy", images.shape[1:], images.dtype.type) as pixels:
        pixels.append(images)
        limits = normalise(pixels, boxes, np.array(groups, np.int64), percentiles, fill, run or make_run())
        pixels.finish()
    return np.load(folder / "images.npy"), limits


def inside(image: NDArray[Any], covered: tuple[int, int]) -> NDArray[Any]:
    top, left = corner(image.shape[-1], *covered)
    return image[:, top : top + covered[0], left : left + covered[1]]


def pictures(n: int, dtype: Any, channels: int = 2, size: int = 8, top: int | None = None) -> NDArray[Any]:
    rng = np.random.default_rng(n)
    return rng.integers(0, top or np.iinfo(dtype).max + 1, (n, channels, size, size)).astype(dtype)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    dtype=st.sampled_from([np.uint8, np.uint16]),
    boxes=st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=1, max_size=25),
    percentiles=st.tuples(st.floats(0, 100), st.floats(0, 100)).filter(lambda p: p[0] < p[1]),
    fill=st.integers(0, 255),
    seed=st.integers(0, 5),
)
def test_limits_are_numpys_percentiles_and_the_scale_is_linear_between_them(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: Any,
    boxes: list[tuple[int, bool]],
    percentiles: tuple[float, float],
    fill: int,
    seed: int,
):
    rng = np.random.default_rng(seed)
    covered = [(side, 8) if upright else (8, side) for side, upright in boxes]
    images = np.full((len(boxes), 2, 8, 8), fill, dtype)
    for image, box in zip(images, covered, strict=True):
        inside(image, box)[...] = rng.integers(0, rng.integers(1, np.iinfo(dtype).max), (2, *box))
    groups = rng.integers(0, 3, len(boxes)).tolist()
    result, limits = normalised(
        tmp_path_factory.mktemp("set"), images, groups, percentiles, covered=covered, fill=fill
    )
    top = np.iinfo(dtype).max
    assert sorted(limits) == sorted(set(groups))
    for group in set(groups):
        rows = [i for i, g in enumerate(groups) if g == group]
        for c in range(2):
            pixels = np.concatenate([inside(images[i], covered[i])[c].ravel() for i in rows])
            low, high = np.percentile(pixels, percentiles)
            np.testing.assert_allclose(limits[group][c], (low, high), rtol=1e-12, atol=1e-9)
            low, high = limits[group][c]
            for i in rows:
                expected = np.full((8, 8), float(fill))
                box = inside(images[i], covered[i])[c].astype(float)
                scaled = (
                    np.clip((box - low) / (high - low) * top, 0, top) if high > low else np.zeros_like(box)
                )
                inside(expected[None], covered[i])[...] = scaled
                assert np.abs(result[i, c] - expected).max() <= 0.5


@pytest.mark.slow
@settings(max_examples=30)
@given(
    dtype=st.sampled_from([np.uint8, np.uint16]),
    changes=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 50)), min_size=2, max_size=4),
)
def test_gain_and_offset_of_a_group_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, changes: list[tuple[int, int]]
):
    plain = pictures(6 * len(changes), dtype, top=50)
    groups = np.arange(len(plain)) % len(changes)
    gain, offset = np.array(changes).T
    changed = (plain * gain[groups, None, None, None] + offset[groups, None, None, None]).astype(dtype)
    folder = tmp_path_factory.mktemp("set")
    expected, _ = normalised(folder, plain, groups.tolist())
    result, _ = normalised(folder, changed, groups.tolist())
    assert np.abs(result.astype(int) - expected).max() <= 1  # where rounding meets a half
    assert (result != expected).mean() < 0.01
    apart, _ = normalised(folder, changed, [0] * len(plain))
    if len({*changes}) > 1:
        assert np.abs(apart.astype(int) - result).max() > 1


def test_a_channel_whose_percentiles_are_equal_becomes_0_outliers_included(tmp_path: Path):
    images = np.full((1, 1, 10, 10), 40, np.uint16)
    images[..., 0, :2] = 10, 60000
    result, limits = normalised(tmp_path, images, [0], (5, 95))
    assert limits == {0: [(40, 40)]}
    assert not result.any()


def test_the_full_range_is_used(tmp_path: Path):
    for dtype in (np.uint8, np.uint16):
        images = pictures(4, dtype, top=100) + dtype(20)
        result, limits = normalised(tmp_path, images, [0] * 4, (0, 100))
        assert limits == {0: [(20, 119), (20, 119)]}
        assert result.min() == 0
        assert result.max() == np.iinfo(dtype).max


def test_a_constant_channel_becomes_0_and_padding_stays(tmp_path: Path):
    images = np.full((2, 2, 6, 6), 255, np.uint8)
    images[:, 0, 1:5] = 7
    images[:, 1, 1:5] = np.arange(24).reshape(4, 6)
    result, limits = normalised(tmp_path, images, [0, 0], (0, 100), covered=[(4, 6)] * 2, fill=255)
    assert limits == {0: [(7, 7), (0, 23)]}
    assert (result[:, 0, 1:5] == 0).all()
    assert (result[:, 1, 1:5].max(), result[:, 1, 1:5].min()) == (255, 0)
    assert (result[:, :, [0, 5]] == 255).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_result_does_not_depend_on_threads_or_blocks(
    tmp_path: Path, dtype: Any, monkeypatch: pytest.MonkeyPatch
):
    images = pictures(60, dtype)
    groups = np.random.default_rng(0).integers(0, 7, 60).tolist()
    results = []
    for threads, block, piece in [(1, 4 << 20, 1 << 18), (3, 1, 1 << 18), (2, 1000, 7)]:
        monkeypatch.setattr(module, "_BLOCK_BYTES", block)
        monkeypatch.setattr(module, "_PIECE", piece)
        results.append(normalised(tmp_path, images, groups, run=make_run(threads)))
    for pixels, limits in results[1:]:
        np.testing.assert_array_equal(pixels, results[0][0])
        assert limits == results[0][1]


def test_progress_counts_both_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1)
    seen: list[tuple[int, int]] = []
    run = make_run(report=lambda done, total, _: seen.append((done, total)))
    normalised(tmp_path, pictures(5, np.uint8), [0, 0, 2, 2, 2], run=run)
    assert seen == [(i, 10) for i in range(1, 11)]
