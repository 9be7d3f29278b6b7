from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.imaging.resize import corner, resizer, to_square


def picture(height: int = 37, width: int = 53, channels: int = 3, dtype: Any = np.uint8) -> NDArray[Any]:
    """Smooth, so that JPEG keeps it, and different in every channel."""
    y, x, c = np.ogrid[:height, :width, :channels]
    waves = np.sin(y / 9 + c) + np.cos(x / 7 - 2 * c)
    scaled: NDArray[Any] = ((waves + 2) / 4 * np.iinfo(dtype).max).astype(dtype)
    return scaled


images = st.builds(
    picture,
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    channels=st.sampled_from([1, 3, 6]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)


@given(images, st.integers(4, 80), st.sampled_from(["pad", "stretch"]), st.integers(0, 255))
def test_square_has_the_size_dtype_and_channels(image: NDArray[Any], size: int, shape: Any, fill: int):
    before = image.copy()
    square = to_square(image, size, shape, fill)
    assert square.shape == (size, size, image.shape[2])
    assert square.dtype == image.dtype
    np.testing.assert_array_equal(image, before)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(4, 80), st.integers(0, 200))
def test_padding_is_centred_and_keeps_the_aspect_ratio(height: int, width: int, size: int, fill: int):
    image = np.full((height, width, 1), 201, np.uint8)
    inside = to_square(image, size, "pad", fill)[..., 0] == 201
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert max(len(rows), len(columns)) == size
    assert abs(len(rows) - size * height / max(height, width)) <= 1
    assert abs(len(columns) - size * width / max(height, width)) <= 1
    for found in (rows, columns):
        before, after = int(found[0]), size - 1 - int(found[-1])
        assert 0 <= after - before <= 1
    assert (to_square(image, size, "pad", fill)[..., 0][~inside] == fill).all()


@given(images, st.integers(4, 80))
def test_resizing_stays_within_the_values_of_the_image(image: NDArray[Any], size: int):
    square = to_square(image, size, "stretch")
    assert (square.min((0, 1)) >= image.min((0, 1))).all()
    assert (square.max((0, 1)) <= image.max((0, 1))).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_shrinking_averages_areas(dtype: Any):
    image = picture(64, 64, 3, dtype)
    means = image.reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(to_square(image, 16).astype(float) - means).max() <= 0.5


def test_shrinking_shows_what_subsampling_would_miss():
    image = np.full((256, 256, 1), 255, np.uint8)
    image[:, 130] = 0
    assert to_square(image, 64)[:, :, 0].min() == 191


def test_enlarging_interpolates_linearly():
    image = np.array([[[0]], [[100]]], np.uint8).repeat(2, axis=1)
    np.testing.assert_array_equal(to_square(image, 4)[:, 0, 0], [0, 25, 75, 100])


@given(st.integers(4, 40), st.sampled_from(["pad", "stretch"]))
def test_an_image_of_the_right_size_is_left_alone(size: int, shape: Any):
    image = picture(size, size)
    np.testing.assert_array_equal(to_square(image, size, shape), image)


@given(images, st.integers(4, 60), st.sampled_from(["pad", "stretch"]))
def test_channels_do_not_mix(image: NDArray[Any], size: int, shape: Any):
    whole = to_square(image, size, shape, 9)
    for c in range(image.shape[2]):
        alone = to_square(np.ascontiguousarray(image[..., c : c + 1]), size, shape, 9)
        assert (
            np.abs(whole[..., c : c + 1].astype(int) - alone).max() <= 1
        )  # vector units may round otherwise


def by_area(length: int, new: int) -> NDArray[np.float64]:
    """Weights, shape (new, length), of pixels of length 1 in new ones that cover length / new each."""
    edges = np.arange(new + 1) * length / new
    left, right = (
        np.maximum.outer(edges[:-1], np.arange(length)),
        np.minimum.outer(edges[1:], np.arange(1, length + 1)),
    )
    return np.asarray(np.clip(right - left, 0, None) * new / length)


def linear(length: int, new: int) -> NDArray[np.float64]:
    at = np.clip((np.arange(new) + 0.5) * length / new - 0.5, 0, length - 1)
    return np.asarray(np.clip(1 - np.abs(at[:, None] - np.arange(length)), 0, None))


def mixed(image: NDArray[Any], height: int, width: int) -> bool:
    """Whether one side shrinks and the other grows."""
    return bool((height - image.shape[0]) * (width - image.shape[1]) < 0)


def as_defined(image: NDArray[Any], height: int, width: int) -> NDArray[np.float64]:
    """What the definition says, in double precision and not rounded at the end."""
    result = image.astype(float)
    twice = mixed(image, height, width)
    for how, shrinks in ((by_area, True), (linear, False)):
        if (height <= result.shape[0]) == shrinks:
            result = np.einsum("yj,jxc->yxc", how(result.shape[0], height), result)
        if (width <= result.shape[1]) == shrinks:
            result = np.einsum("xj,yjc->yxc", how(result.shape[1], width), result)
        result = np.rint(result) if shrinks and twice else result
    return result


@settings(max_examples=200)
@given(images, st.integers(4, 80), st.sampled_from(["pad", "stretch"]), st.integers(0, 255))
def test_resizing_is_what_the_definition_says(image: NDArray[Any], size: int, shape: Any, fill: int):
    height, width, channels = image.shape
    if shape == "stretch":
        new: tuple[int, ...] = size, size
    else:
        new = tuple(max(1, round(side * size / max(height, width))) for side in (height, width))
    expected = np.full((size, size, channels), float(fill))
    top, left = corner(size, *new)
    expected[top : top + new[0], left : left + new[1]] = as_defined(image, *new)
    error = np.abs(to_square(image, size, shape, fill) - expected)
    grows = max(new[0] - height, new[1] - width) > 0
    arithmetic = 0.5 if image.dtype == np.uint8 and grows else 0.02
    assert error.max() <= 0.5 + arithmetic + mixed(image, *new)


def test_a_side_that_shrinks_is_averaged_even_if_the_other_grows():
    image = np.zeros((8, 640, 1), np.uint8)
    image[:, ::10] = 250
    np.testing.assert_array_equal(to_square(image, 64, "stretch"), 25)


@given(images, st.integers(4, 80), st.sampled_from(["pad", "stretch"]), st.integers(0, 255))
def test_squares_are_written_in_place_and_padding_is_left_alone(
    image: NDArray[Any], size: int, shape: Any, fill: int
):
    many = np.full((3, image.shape[2], size, size), fill, image.dtype)
    height, width = resizer(size, shape)(image, many[1])
    top, left = corner(size, height, width)
    np.testing.assert_array_equal(many[1].transpose(1, 2, 0), to_square(image, size, shape, fill))
    assert (many[[0, 2]] == fill).all()
    many[1, :, top : top + height, left : left + width] = fill
    assert (many == fill).all()


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_how_an_image_lies_in_memory_does_not_matter(channels: int):
    image = picture(50, 41, channels)
    expected = to_square(image, 32)
    planar = np.moveaxis(np.ascontiguousarray(np.moveaxis(image, 2, 0)), 0, 2)
    large = picture(90, 80, channels + 2)
    large[20:70, 30:71, 1:-1] = image
    for view in (planar, large[20:70, 30:71, 1:-1], image[::-1, ::-1].copy()[::-1, ::-1]):
        np.testing.assert_array_equal(to_square(view, 32), expected)


def test_very_long_images():
    assert to_square(np.full((3, 70_000, 1), 9, np.uint8), 64).max() == 9
    assert to_square(np.full((70_000, 3, 3), 9, np.uint8), 64, "stretch").min() == 9
