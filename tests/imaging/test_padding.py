from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.imaging.padding import Border, PaddingCheck, compare
from bench.imaging.prepare import load, prepare
from bench.imaging.resize import border_medians, to_square
from bench.imaging.survey import survey
from bench.interfaces import PADDING
from tests.imaging.test_prepare import InMemory, Square, make_run


def crop(height: int, width: int, background: int, dtype: Any = np.uint8) -> NDArray[Any]:
    """A dark object in its background, one channel brighter by 1 than the one before."""
    image = np.full((height, width, 3), background, dtype) + np.arange(3, dtype=dtype)
    image[height // 4 : -height // 4, width // 4 : -width // 4] = 3
    return image


def crops(background: int, dtype: Any = np.uint8) -> InMemory:
    images: list[NDArray[Any] | None] = [crop(10 + i, 24, background, dtype) for i in range(20)]
    return InMemory(images, ["x"] * 20, dtype=dtype, fill="border")


def test_the_median_of_a_border_counts_every_pixel_once_and_occurs_there():
    planes = np.arange(20, dtype=np.uint8).reshape(1, 4, 5)
    ring = [0, 1, 2, 3, 4, 5, 9, 10, 14, 15, 16, 17, 18, 19]
    assert border_medians(planes).tolist() == [ring[6]]
    assert border_medians(np.array([[[4, 9, 7]]], np.uint16)).tolist() == [7]
    assert border_medians(np.array([[[4]], [[5]]], np.uint16)).tolist() == [4, 5]


@pytest.mark.parametrize(("height", "width"), [(10, 24), (24, 10), (1, 30), (17, 17)])
@pytest.mark.parametrize("size", [8, 15, 64])
def test_padding_by_the_border_continues_the_background(height: int, width: int, size: int):
    image = crop(height, width, 230)
    if min(height, width) == 1:
        image[:] = (230, 231, 232)
    square = to_square(image, size, "pad", "border")
    short = to_square(image, size, "pad", 0)
    padding = (short == 0).all(axis=2)
    assert padding.any() == (height != width)
    assert (square[padding] == (230, 231, 232)).all()
    np.testing.assert_array_equal(square[~padding], short[~padding])


@pytest.mark.parametrize("normalise", ["none", "per_set"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_prepared_images_are_padded_with_their_own_borders(
    tmp_path: Path, dtype: Any, normalise: Literal["none", "per_set"]
):
    prepare(crops(200, dtype), Square(size=24, normalise=normalise), tmp_path, make_run(tmp_path, 2))
    pixels = load(tmp_path, labels=False).pixels
    for i, square in enumerate(pixels):
        top = (24 - (10 + i)) // 2
        background = square[:, top, 0]  # a corner of the image itself
        assert (square[:, 0] == background[:, None]).all()
        assert (square[:, -1] == background[:, None]).all()
    assert PADDING not in json.loads((tmp_path / "set.json").read_text())["notes"]
    if normalise == "per_set":  # padding does not count: the objects' 3 became 0, the background the largest
        assert pixels.max() == np.iinfo(dtype).max
    else:
        assert (pixels[0, :, 0, 0] == (200, 201, 202)).all()


def test_a_padding_unlike_the_borders_is_told(tmp_path: Path):
    said = "100% of the 19 padded images looked at are padded with 0 beside borders of about 231 (231 to 231)"
    images = crops(230)
    images.fill = 0
    prepare(images, Square(size=30), tmp_path, make_run(tmp_path))
    told = json.loads((tmp_path / "set.json").read_text())["notes"][PADDING]
    assert told.startswith(said)
    assert "`fill: border`" in told
    seen = survey(images, padded=True, threads=2, report=lambda *_: None)
    assert seen.notes[PADDING] == told
    assert PADDING not in survey(images, padded=False, threads=1, report=lambda *_: None).notes
    prepare(images, Square(size=30, shape="stretch"), tmp_path, make_run(tmp_path))
    assert PADDING not in json.loads((tmp_path / "set.json").read_text())["notes"]


@pytest.mark.parametrize(("fill", "told"), [(231, False), (225, False), (255, False), (150, True), (0, True)])
def test_it_is_told_above_a_quarter_of_the_range_within_the_image(fill: int, told: bool):
    assert compare(crop(10, 24, 230).transpose(2, 0, 1), fill) == (231.0, told)


def test_up_to_a_tenth_of_the_images_is_no_matter():
    bright, dark = compare(crop(10, 24, 230).transpose(2, 0, 1), 0), Border(10.0, differs=False)
    inverted = 255 - crop(10, 24, 230).transpose(2, 0, 1)
    assert not compare(inverted, 0).differs
    assert PaddingCheck(0, [bright] * 2 + [dark] * 18).sentence() is None
    assert str(PaddingCheck(0, [bright] * 3 + [dark] * 17).sentence()).startswith("15% of the 20")
    assert PaddingCheck(0).sentence() is None
