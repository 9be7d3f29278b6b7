from __future__ import annotations

import importlib.util
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bench.errors import DataError
from bench.imaging.segmentation import Cells, CellSearch, boxes_of_masks, grey, otsu, segment
from tests.methods import make_run, prepared


def threshold(image):
    """Otsu's threshold by trying each: the least variance within both sides."""

    def within(t):
        low, high = image[image <= t].astype(float), image[image > t].astype(float)
        return low.size * low.var() + high.size * high.var() if low.size and high.size else np.inf

    values = np.unique(image)[:-1]
    return min(values, key=within)


def discs(seed, dtype=np.uint16, side=64):
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    image = rng.normal(0.1 * top, 0.01 * top, (side, side))
    mask = np.zeros((side, side), np.uint8)
    for _ in range(5):
        x, y, r = (int(v) for v in (*rng.integers(0, side, 2), rng.integers(1, 8)))
        cv2.circle(mask, (x, y), r, 1, -1)
    image[mask > 0] = rng.normal(0.7 * top, 0.02 * top, int(mask.sum()))
    return image.clip(0, top).astype(dtype)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.sampled_from([np.uint8, np.uint16]))
@settings(max_examples=12)
def test_boxes_are_those_of_connected_areas_above_otsus_threshold(seed, dtype):
    image = discs(seed, dtype)
    areas, _ = ndimage.label(image > threshold(image), structure=np.ones((3, 3)))
    wanted = {(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in ndimage.find_objects(areas)}
    assert {tuple(b) for b in otsu(image, 0, 1000).tolist()} == wanted


def test_small_areas_are_left_out_and_the_largest_come_first():
    image = np.zeros((64, 64), np.uint16)
    for x, r in ((8, 2), (24, 6), (50, 10)):
        cv2.circle(image, (x, 32), r, 30_000, -1)
    assert [b[2] for b in otsu(image, 0, 9).tolist()] == [21, 13, 5]
    assert [b[2] for b in otsu(image, 50, 9).tolist()] == [21, 13]
    assert [b[2] for b in otsu(image, 0, 1).tolist()] == [21]
    for value in (0, 255):
        assert otsu(np.full((8, 8), value, np.uint8), 0, 9).shape == (0, 4)


def test_of_a_clipped_image_the_whole_is_left():
    image = np.random.default_rng(0).integers(256, 60_000, (3, 1, 32, 32)).astype(np.uint16)
    search = CellSearch("otsu", on=None, min_area=0, most=9, clip=255)
    cells = segment(prepared(image), search, 16, make_run())
    assert cells.boxes.tolist() == [[0, 0, 32, 32]] * 3
    assert cells.empty == 3
    assert (cells.pixels(np.arange(3)) == 255).all()


def test_boxes_of_masks_are_those_of_scipy():
    rng = np.random.default_rng(1)
    masks, _ = ndimage.label(rng.random((40, 40)) < 0.3)
    wanted = {(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in ndimage.find_objects(masks)}
    found = boxes_of_masks(masks, 0, 10_000)
    assert {tuple(b) for b in found.tolist()} == wanted
    sizes = np.bincount(masks.ravel())[1:]
    assert len(boxes_of_masks(masks, 4, 10_000)) == (sizes >= 4).sum()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_grey_is_the_median_the_lower_of_two(channels):
    image = np.random.default_rng(0).integers(0, 65_536, (channels, 6, 7)).astype(np.uint16)
    np.testing.assert_array_equal(grey(image), np.sort(image, axis=0)[(channels - 1) // 2])


def test_cells_show_their_surroundings_within_the_image():
    image = np.zeros((2, 1, 40, 40), np.uint8)
    image[0, 0, 0:10, 30:40] = 200
    image[0, 0, 20:24, 5:15] = 100
    boxes = [np.array([[30, 0, 10, 10], [5, 20, 10, 4]]), np.empty((0, 4), np.int64)]
    cells = Cells(prepared(image), boxes, 12)
    assert cells.image.tolist() == [0, 0, 1]
    assert cells.empty == 1
    corner, flat, whole = cells.pixels(np.arange(3))
    np.testing.assert_array_equal(corner, image[0, :, 0:12, 28:40])  # moved in from the border
    np.testing.assert_array_equal(flat, image[0, :, 16:28, 4:16])
    assert whole.shape == (1, 12, 12)
    np.testing.assert_array_equal(cells.pixels(np.array([1, 0])), [flat, corner])


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 34), st.integers(1, 20))
def test_every_box_in_an_image_that_is_not_square_can_be_shown(x, y, width, height):
    image = np.random.default_rng(0).integers(0, 99, (1, 2, 50, 64)).astype(np.uint16)
    cells = Cells(prepared(image), [np.array([[x, y, width, height]])], 8)
    assert cells.pixels(np.array([0])).shape == (1, 2, 8, 8)


def test_what_cannot_be_segmented_says_why():
    images = prepared(np.zeros((1, 3, 8, 8), np.uint8))
    search = CellSearch("otsu", on=3, min_area=0, most=9, clip=None)
    with pytest.raises(DataError, match="channel 3 of images that have 3"):
        segment(images, search, 8, make_run())
    if importlib.util.find_spec("cellpose") is None:
        with pytest.raises(DataError, match=r"cutjoin\[cellpose\]"):
            segment(images, replace(search, how="cellpose", on=None), 8, make_run())
