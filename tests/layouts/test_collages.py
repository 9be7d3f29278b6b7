from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray

import bench.layouts.collages
from bench.images import BadImage
from bench.imaging.decode import decode
from bench.layouts.collages import Collages, mask_areas

SHAPE = (60, 80)


def pixels(i: int) -> NDArray[np.uint8]:
    return np.random.default_rng(i).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)


def mask(i: int) -> NDArray[np.uint8]:
    return (np.random.default_rng([i, 1]).random(SHAPE) < 0.3).astype(np.uint8) * 255


def make(
    folder: Path, n: int = 5, each: int = 12, boxes: Any = None, *, masks: bool = False, **how: Any
) -> Collages:
    files: list[tuple[Path, Path | None]] = []
    for i in range(n):
        files.append((folder / f"{i}.tif", folder / f"{i}_bin.tif" if masks else None))
        tifffile.imwrite(files[-1][0], pixels(i), photometric="rgb", compression="lzw")
        tifffile.imwrite(folder / f"{i}_bin.tif", mask(i), compression="lzw")
    rng = np.random.default_rng(0)
    if boxes is None:
        corner = rng.integers(0, [60, 40], (n * each, 2))
        boxes = np.hstack([corner, rng.integers(1, 20, (n * each, 2))])
    boxes = np.asarray(boxes, np.int64)
    m = len(boxes)
    return Collages(
        pd.DataFrame({"id": [str(i) for i in range(m)]}),
        files,
        np.repeat(np.arange(n), m // n),
        boxes,
        tables=[Path("a.lst"), Path("b.lst")],
        record=np.column_stack([np.arange(m) % 2, np.arange(m) + 10]),
        raw_area=np.full(m, np.nan),
        **{"grey": False, "fill": 9, "group": "run", "notes": {}, **how},
    )


def cut(images: Collages, row: int, whole: NDArray[Any]) -> NDArray[Any]:
    x, y, width, height = images.boxes[row].tolist()
    return whole[y : y + height, x : x + width]


def good(found: Sequence[NDArray[Any] | BadImage]) -> list[NDArray[Any]]:
    assert not [f for f in found if isinstance(f, BadImage)]
    return [f for f in found if not isinstance(f, BadImage)]


def test_boxes_are_slices_of_their_collage(tmp_path: Path):
    images = make(tmp_path)
    found = good(list(images.read_many(range(60))))
    for row in range(60):
        np.testing.assert_array_equal(found[row], cut(images, row, pixels(row // 12)))
        np.testing.assert_array_equal(images.read(row), found[row])
    assert images.channels == 3
    assert images.where(13) == "b.lst:23"
    assert not list(images.read_many(range(0)))
    np.testing.assert_array_equal(good(list(images.read_many(range(50, 8, -7))))[1], found[43])


def test_grey_and_masks(tmp_path: Path):
    grey = make(tmp_path, grey=True)
    weights = np.array([0.299, 0.587, 0.114])
    assert grey.channels == 1
    assert np.abs(grey.read(0)[..., 0] - cut(grey, 0, pixels(0) @ weights)).max() <= 1
    masked = make(tmp_path, masks=True)
    for row in (0, 30, 59):
        expected = np.where(mask(row // 12)[..., None] > 0, pixels(row // 12), 9)
        np.testing.assert_array_equal(masked.read(row), cut(masked, row, expected))


def test_each_collage_is_decoded_once_whatever_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = make(tmp_path, n=8, each=30)
    decoded: list[Any] = []

    def counted(path: Path, **how: Any) -> NDArray[Any]:
        decoded.append(path)
        return decode(path, **how)

    monkeypatch.setattr(bench.layouts.collages, "decode", counted)
    blocks = [range(start, start + 10) for start in range(0, 240, 10)]
    with ThreadPoolExecutor(4) as pool:
        found = [image for part in pool.map(lambda b: list(images.read_many(b)), blocks) for image in part]
    assert sorted(decoded) == sorted(path for path, _ in images.files)
    for row, image in enumerate(good(found)):
        np.testing.assert_array_equal(image, cut(images, row, pixels(row // 30)))


def test_the_cache_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    size = pixels(0).nbytes
    monkeypatch.setattr(bench.layouts.collages, "CACHE_BYTES", 2 * size)
    images = make(tmp_path, n=7)
    for row in range(84):
        np.testing.assert_array_equal(images.read(row), cut(images, row, pixels(row // 12)))
        assert len(images._decoded) <= 2
    monkeypatch.setattr(bench.layouts.collages, "CACHE_BYTES", 0)
    for row in range(0, 84, 12):
        images.read(row)
        assert len(images._decoded) == 1


def test_a_thread_that_would_wait_decodes_the_next_collage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    images = make(tmp_path, n=3)
    started, next_done = threading.Event(), threading.Event()

    def slow(path: Path, **how: Any) -> Any:
        if path.name == "0.tif":
            started.set()
            assert next_done.wait(20), "nobody decoded the next collage meanwhile"
        result = decode(path, **how)
        if path.name == "1.tif":
            next_done.set()
        return result

    monkeypatch.setattr(bench.layouts.collages, "decode", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(images.read, 0)
        assert started.wait(20)
        second = pool.submit(images.read, 1)
        np.testing.assert_array_equal(first.result(30), cut(images, 0, pixels(0)))
        np.testing.assert_array_equal(second.result(30), cut(images, 1, pixels(0)))


def test_a_failure_while_decoding_reaches_all_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    images = make(tmp_path)

    def fail(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(bench.layouts.collages, "decode", fail)
        with pytest.raises(MemoryError):
            images.read(0)
    np.testing.assert_array_equal(images.read(0), cut(images, 0, pixels(0)))


def test_boxes_out_of_the_collage_are_bad_alone(tmp_path: Path):
    inside, far = (0, 0, 80, 60), 2**31 - 1
    boxes = [inside, (1, 0, 80, 60), (0, 1, 80, 60), (far, far, far, far), (79, 59, 1, 1), (80, 0, 1, 1)]
    images = make(tmp_path, n=1, boxes=boxes)
    found = list(images.read_many(range(6)))
    assert [isinstance(f, BadImage) for f in found] == [False, True, True, True, False, True]
    assert str(found[1]) == (
        "b.lst:11: its crop of 80 x 60 px at (1, 0) extends beyond the collage 0.tif of 80 x 60 px"
    )
    with pytest.raises(BadImage, match=r"a\.lst:12"):
        images.read(2)


def test_bad_collages_and_masks_name_record_and_file(tmp_path: Path):
    images = make(tmp_path, masks=True)
    data = (tmp_path / "0.tif").read_bytes()
    (tmp_path / "0.tif").write_bytes(data[: len(data) // 2])
    (tmp_path / "1_bin.tif").unlink()
    tifffile.imwrite(tmp_path / "2_bin.tif", mask(0)[:-1])
    tifffile.imwrite(tmp_path / "3.tif", pixels(0).astype(np.uint16), photometric="rgb")
    found = list(images.read_many(range(60)))
    assert [isinstance(f, BadImage) for f in found] == [True] * 48 + [False] * 12
    assert str(found[0]).startswith(f"a.lst:10: {tmp_path / '0.tif'}: ")
    assert "1_bin.tif: cannot be read" in str(found[12])
    assert "2_bin.tif: the mask is not of the collage's size" in str(found[24])
    assert "3.tif: has pixels of type uint16" in str(found[36])


def test_mask_areas(tmp_path: Path):
    images = make(tmp_path)
    images.boxes[3] = (70, 50, 11, 5)
    masks = [tmp_path / f"{i}_bin.tif" if i != 2 else None for i in range(5)]
    expected = [int(np.count_nonzero(cut(images, row, mask(row // 12)))) for row in range(60)]
    expected[3] = -1
    expected[24:36] = [-1] * 12
    assert mask_areas(images, masks).tolist() == expected
