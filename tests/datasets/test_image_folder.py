from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import tifffile
from pydantic import ValidationError

from bench.adapters.registry import load as load_adapter
from bench.errors import DataError
from bench.images import BadImage
from bench.interfaces import Dataset


def image_folder(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "image_folder").model_validate(parameters))


def put(path: Path, value: int = 9, dtype: Any = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((5, 6, 3), value, dtype)
    if path.suffix == ".tif":
        tifffile.imwrite(path, image)
    else:
        path.write_bytes(cv2.imencode(path.suffix.lower(), image)[1].tobytes())


def rows_of(root: Path, **parameters: Any) -> dict[str, Any]:
    table = image_folder(**parameters).open(root).table
    return dict(
        zip(table["id"], table["label"].astype(object).where(table["label"].notna(), None), strict=True)
    )


def test_folders_are_classes_and_loose_images_have_none(tmp_path: Path):
    for name in ("b/2.png", "a/1.jpg", "a/3.BMP", "a/2.tif", "loose.png"):
        put(tmp_path / name)
    assert rows_of(tmp_path) == {
        "a/1.jpg": "a",
        "a/2.tif": "a",
        "a/3.BMP": "a",
        "b/2.png": "b",
        "loose.png": None,
    }
    assert list(rows_of(tmp_path)) == sorted(rows_of(tmp_path))
    assert image_folder().files(tmp_path) == [tmp_path / name for name in sorted(rows_of(tmp_path))]


def test_a_flat_folder_has_no_labels(tmp_path: Path):
    for i in range(3):
        put(tmp_path / f"{i}.png")
    images = image_folder().open(tmp_path)
    assert images.table["label"].isna().all()
    assert len(images.table) == 3


def test_each_row_reads_its_own_file(tmp_path: Path):
    for i in range(20):
        put(tmp_path / f"{'ab'[i % 2]}/{i}.png", i)
    images = image_folder().open(tmp_path)
    for row, name in enumerate(images.table["id"]):
        assert set(images.read(row).ravel()) == {int(Path(name).stem)}
        assert images.where(row) == str(tmp_path / name)


def test_channels_depth_and_fill(tmp_path: Path):
    put(tmp_path / "a/1.tif", 1000, np.uint16)
    images = image_folder(grey=True, depth=16, fill=500).open(tmp_path)
    assert (images.channels, images.dtype, images.fill) == (1, np.uint16, 500)
    assert images.read(0).shape == (5, 6, 1)
    assert set(images.read(0).ravel()) == {1000}
    assert image_folder().open(tmp_path).read(0).shape == (5, 6, 3)
    assert image_folder(depth=8).open(tmp_path).misfit(0, images.read(0)) is not None
    with pytest.raises(ValidationError, match="fill 256 does not fit into 8 bits"):
        image_folder(depth=8, fill=256)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bits_among_8_are_read_at_one_scale(tmp_path: Path, order: Any, big: bool):
    put(tmp_path / "a/1.png", 100)
    put(tmp_path / "a/2.webp", 255)
    assert image_folder().open(tmp_path).dtype is np.uint8
    tifffile.imwrite(tmp_path / "a/3.tif", np.full((5, 6), 700, np.uint16), byteorder=order, bigtiff=big)
    images = image_folder(grey=True).open(tmp_path)
    assert images.dtype is np.uint16
    assert [int(images.read(i)[0, 0, 0]) for i in range(3)] == [100 * 257, 65535, 700]
    assert images.notes["images of 8 bits among those of 16, scaled to 16"] == {
        "of 16": 1,
        "of 8": 2,
        "first of 16": ["a/3.tif"],
    }
    rgb = np.full((5, 6, 3), 700, np.uint16)
    tifffile.imwrite(tmp_path / "a/3.tif", rgb, byteorder=order, bigtiff=big)
    assert image_folder().open(tmp_path).read(2)[0, 0].tolist() == [700, 700, 700]
    (tmp_path / "a/3.tif").unlink()
    put(tmp_path / "a/4.png", 700, np.uint16)
    assert [int(image_folder().open(tmp_path).read(i)[0, 0, 0]) for i in (0, 2)] == [25700, 700]
    (tmp_path / "a/4.png").write_bytes((tmp_path / "a/4.png").read_bytes()[:20])
    assert image_folder().open(tmp_path).dtype is np.uint8


def test_folders_without_images_and_formats_that_are_not_read_are_named(tmp_path: Path):
    put(tmp_path / "a/1.webp")
    for name in ("b/1.gif", "c/notes.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert image_folder().open(tmp_path).notes == {
        "files that are no images": {"count": 1, "first": ["c/notes.txt"]},
        "folders without images": {"count": 2, "first": ["b", "c"]},
        "image files of a format that is not read": {"count": 1, "first": ["b/1.gif"]},
    }


def test_what_is_no_image_of_the_set_is_named(tmp_path: Path):
    put(tmp_path / "set/a/1.png")
    put(tmp_path / "elsewhere/secret.png")
    root = tmp_path / "set"
    (root / "a/readme.txt").touch()
    (root / "a/dir.png").mkdir()
    put(root / "a/deeper/5.png")
    for junk in (".DS_Store", "a/Thumbs.db", "a/.hidden.png", ".git/x.png"):
        (root / junk).parent.mkdir(exist_ok=True)
        (root / junk).touch()
    (root / "a/out.png").symlink_to(tmp_path / "elsewhere/secret.png")
    (root / "a/dead.png").symlink_to(root / "nothing")
    (root / "a/loop.png").symlink_to(root / "a/loop.png")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    (root / "a/inside.png").symlink_to(root / "a/1.png")
    assert set(rows_of(root)) == {"a/1.png", "a/inside.png"}
    notes = image_folder().open(root).notes
    assert notes == {
        "files that are no images": {"count": 1, "first": ["a/readme.txt"]},
        "folders or special files where images are expected": {
            "count": 2,
            "first": ["a/deeper", "a/dir.png"],
        },
        "links that lead out of the dataset": {
            "count": 4,
            "first": ["a/dead.png", "a/loop.png", "a/out.png", "b"],
        },
    }


def test_a_root_that_is_a_link_is_fine(tmp_path: Path):
    put(tmp_path / "real/a/1.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert image_folder().files(tmp_path / "link") == [tmp_path / "link/a/1.png"]
    assert not image_folder().open(tmp_path / "link").notes


def test_a_folder_without_images_is_an_error(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/notes.txt").touch()
    for ask in (image_folder().files, image_folder().open):
        with pytest.raises(DataError, match="holds no images"):
            ask(tmp_path)
        with pytest.raises(DataError, match="cannot be listed: No such file"):
            ask(tmp_path / "missing")
        with pytest.raises(DataError, match="cannot be listed: Not a directory"):
            ask(tmp_path / "a/notes.txt")


def test_a_broken_image_opens_and_fails_alone(tmp_path: Path):
    put(tmp_path / "a/1.png")
    (tmp_path / "a/2.png").touch()
    images = image_folder().open(tmp_path)
    assert images.read(0).size
    with pytest.raises(BadImage, match=r"2\.png: is empty"):
        images.read(1)
