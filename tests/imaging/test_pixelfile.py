from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.imaging.pixelfile import PixelFile


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("blocks", [[], [0], [1], [3, 0, 7], [1200]])
def test_numpy_reads_what_was_appended(tmp_path: Path, dtype: Any, blocks: list[int]):
    rng = np.random.default_rng(0)
    images = rng.integers(0, np.iinfo(dtype).max, (sum(blocks), 2, 5, 5), dtype)
    with PixelFile(tmp_path / "images.npy", (2, 5, 5), dtype) as pixels:
        for block in np.split(images, np.cumsum(blocks)[:-1]) if blocks else []:
            pixels.append(block)
        pixels.finish()
    read = np.load(tmp_path / "images.npy", allow_pickle=False)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, images)
    mapped = np.lib.format.open_memmap(tmp_path / "mapped.npy", "w+", dtype, images.shape or (0,))
    mapped[...] = images
    mapped.flush()
    assert (tmp_path / "images.npy").read_bytes() == (tmp_path / "mapped.npy").read_bytes()


@given(st.sets(st.integers(0, 29)), st.booleans())
def test_any_rows_can_be_read_and_replaced(
    tmp_path_factory: pytest.TempPathFactory, chosen: set[int], apart: bool
):
    rows = np.array(sorted(chosen), np.int64)
    images = np.arange(30 * 6, dtype=np.uint16).reshape(30, 1, 2, 3)
    path = tmp_path_factory.mktemp("pixels") / "images.npy"
    with PixelFile(path, (1, 2, 3), np.uint16) as pixels:
        pixels.append(images[:11])
        pixels.append(images[11:])
        np.testing.assert_array_equal(pixels.read(rows), images[rows])
        block = pixels.read(rows) + 1000
        pixels.write(rows, block.repeat(2, axis=0)[::2] if apart else block)
        pixels.finish()
    images[rows] += 1000
    np.testing.assert_array_equal(np.load(path), images)


def test_rows_beyond_the_end_are_an_error(tmp_path: Path):
    with PixelFile(tmp_path / "images.npy", (1, 2, 2), np.uint8) as pixels:
        pixels.append(np.zeros((2, 1, 2, 2), np.uint8))
        with pytest.raises(OSError, match="ends early"):
            pixels.read(np.array([1, 2]))
