from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from bench.adapters.registry import load as load_adapter
from bench.errors import DataError
from bench.images import BadImage
from bench.imaging.prepare import load, prepare
from bench.imaging.selection import Selection, rows
from bench.interfaces import Dataset, Run

SEEN = range(1, 11)
UNSEEN = range(11, 14)


def organoids(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "organoids").model_validate(parameters))


def make_run(tmp_path: Path) -> Run:
    return Run(0, 1, "cpu", "float32", logging.getLogger("test"), tmp_path, lambda *_: None)


def picture(seed: int, channels: int = 3, height: int = 9, width: int = 7) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(300, 65535, (height, width, channels), np.uint16)


def put(path: Path, seed: int = 0, channels: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, picture(seed, channels), photometric="rgb", metadata=None)
    return path


def full(root: Path) -> Path:
    """Write one file of each name that the real data has; contents do not matter."""
    names = [f"train-100/a_{100 * c + j}" for c in SEEN for j in range(10)]
    names += [f"test-100/a_{100 * c + j}" for c in SEEN for j in range(10, 20)]
    names += [f"test-30/a_{100 * c + j}" for c in UNSEEN for j in range(10)]
    for split in ("train-100", "test-100", "test-30"):
        (root / split).mkdir(parents=True)
    for name in names:
        (root / f"{name}.tif").touch()
    return root


def prepared(root: Path, tmp_path: Path, **parameters: Any) -> dict[str, Any]:
    dataset, folder = organoids(size=16, **parameters), tmp_path / "prepared"
    folder.mkdir()
    prepare(dataset.open(root), dataset, folder, make_run(tmp_path))
    return cast(dict[str, Any], json.loads((folder / "set.json").read_text()))


def table_of(root: Path) -> list[tuple[str, str | None, str, str | None]]:
    t = organoids().open(root).table.astype(object)
    t = t.where(t.notna(), None)
    return list(zip(t["id"], t["label"], t["split"], t["subset"], strict=True))


@pytest.mark.parametrize("place", [".", "data"])
def test_class_split_subset_and_order(tmp_path: Path, place: str):
    names = ("test-30/x_1105", "test-100/x_1019", "train-100/my_x_0110", "train-100/1001", "train-100/x_109")
    for i, name in enumerate((*names, "test-unlabeled/b_4711", "test-unlabeled/a", "train-100/x_7")):
        put(tmp_path / place / f"{name}.tif", i)
    assert table_of(tmp_path) == [
        ("train-100/7", "0", "train-100", "seen"),
        ("train-100/109", "1", "train-100", "seen"),
        ("train-100/110", "1", "train-100", "seen"),
        ("train-100/1001", "10", "train-100", "seen"),
        ("test-100/1019", "10", "test-100", "seen"),
        ("test-30/1105", "11", "test-30", "unseen"),
        ("test-unlabeled/a", None, "test-unlabeled", None),
        ("test-unlabeled/b_4711", None, "test-unlabeled", None),
    ]
    images = organoids().open(tmp_path)
    for row, name in enumerate(images.table["id"]):
        assert Path(images.where(row)).stem.endswith(name.rpartition("/")[2].rpartition("_")[2])
    assert sorted(organoids().files(tmp_path)) == sorted((tmp_path / place).rglob("*.tif"))
    assert (images.channels, images.dtype, images.fill) == (3, np.uint16, 0)


def test_the_joint_set_is_selected_by_its_two_splits(tmp_path: Path):
    table = organoids().open(full(tmp_path)).table
    joint = table.iloc[rows(table, Selection(split=("test-100", "test-30")), part="score", seed=0)]
    assert len(joint) == 130
    assert joint["subset"].value_counts().to_dict() == {"seen": 100, "unseen": 30}
    assert not set(joint["label"][joint["subset"] == "seen"]) & set(
        joint["label"][joint["subset"] == "unseen"]
    )


@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_and_the_order_of_channels(tmp_path: Path, channels: int):
    put(tmp_path / "test-30/x_1100.tif", 3, channels)
    stored = tifffile.imread(tmp_path / "test-30/x_1100.tif")[..., :3]
    np.testing.assert_array_equal(organoids().open(tmp_path).read(0), stored)
    np.testing.assert_array_equal(organoids(channels="bgr").open(tmp_path).read(0), stored[..., ::-1])


@pytest.mark.parametrize("kind", ["grey", "rgba"])
def test_masks(tmp_path: Path, kind: str):
    image, bare = put(tmp_path / "test-30/x_1100.tif", 3), put(tmp_path / "test-30/x_1101.tif", 4)
    inside = np.zeros((9, 7), np.uint8)
    inside[2:5, 1:6] = 255
    mask = inside if kind == "grey" else np.dstack([inside, inside, inside, np.full_like(inside, 255)])
    path = image.with_name("x_1100_mask.tif")
    tifffile.imwrite(path, mask)
    applied, ignored = organoids(mask="apply"), organoids()
    np.testing.assert_array_equal(
        applied.open(tmp_path).read(0), tifffile.imread(image) * (inside > 0)[..., None]
    )
    np.testing.assert_array_equal(applied.open(tmp_path).read(1), tifffile.imread(bare))
    np.testing.assert_array_equal(ignored.open(tmp_path).read(0), tifffile.imread(image))
    assert applied.open(tmp_path).notes["images without a mask"] == {
        "count": 1,
        "first": ["test-30/x_1101.tif"],
    }
    assert ignored.open(tmp_path).notes == {"folders not there": ["train-100", "test-100", "test-unlabeled"]}
    assert applied.files(tmp_path) == [image, path, bare]
    assert ignored.files(tmp_path) == [image, bare]  # what is not read does not make results stale


def test_a_mask_of_another_size_or_that_is_damaged_makes_the_image_bad(tmp_path: Path):
    for i in range(3):
        put(tmp_path / f"test-30/x_110{i}.tif", i)
    tifffile.imwrite(tmp_path / "test-30/x_1100_mask.tif", np.ones((7, 9), np.uint8))
    (tmp_path / "test-30/x_1101_mask.tif").write_bytes(b"no image")
    bad = prepared(tmp_path, tmp_path, mask="apply")["bad_images"]
    assert [Path(b["where"]).name for b in bad] == ["x_1100.tif", "x_1101.tif"]
    assert bad[0]["what"] == "is (9, 7) (height, width), its mask (7, 9)"
    assert "x_1101_mask.tif" in bad[1]["what"]


@pytest.mark.parametrize("name", ["x", "x_", "x_1a", "x_-5", "x_١٢", "x_+7", "x_ 7", "7_x"])
def test_a_name_without_a_number_is_listed_and_skipped(tmp_path: Path, name: str):
    put(tmp_path / "train-100/x_100.tif")
    put(tmp_path / f"train-100/{name}.tif", 1)
    assert [row[0] for row in table_of(tmp_path)] == ["train-100/100"]
    assert organoids().open(tmp_path).notes["names without a number"] == {
        "count": 1,
        "first": [f"train-100/{name}.tif"],
    }


@pytest.mark.parametrize(("one", "two"), [("a_100", "b_100"), ("a_100", "a_0100")])
def test_a_number_twice_in_a_split_is_refused_in_two_splits_it_is_not(tmp_path: Path, one: str, two: str):
    put(tmp_path / f"train-100/{one}.tif", 1)
    put(tmp_path / f"test-100/{two}.tif", 2)
    assert len(table_of(tmp_path)) == 2
    put(tmp_path / f"train-100/{two}.tif", 3)
    with pytest.raises(
        DataError, match=rf"{min(one, two)}\.tif.*{max(one, two)}\.tif share the id 'train-100/100'"
    ):
        organoids().open(tmp_path)


def test_one_name_with_two_endings_is_refused(tmp_path: Path):
    put(tmp_path / "test-unlabeled/a.tif", 1)
    put(tmp_path / "test-unlabeled/a.tiff", 2)
    with pytest.raises(DataError, match=r"a\.tif and test-unlabeled/a\.tiff differ in their ending only"):
        organoids().open(tmp_path)


def test_roots_without_the_layout(tmp_path: Path):
    for root in (tmp_path / "missing", tmp_path):
        for ask in (organoids().files, organoids().open):
            with pytest.raises(DataError, match="holds none of the folders train-100, test-100"):
                ask(root)
    (tmp_path / "train-100").mkdir()
    (tmp_path / "train-100/notes.txt").touch()
    (tmp_path / "train-100/x_1_mask.tif").touch()
    with pytest.raises(DataError, match=r"no image <name>_<number>\.tif in train-100"):
        organoids().open(tmp_path)


def test_findings_are_listed_and_nothing_outside_is_read(tmp_path: Path):
    root = tmp_path / "root"
    outside = put(tmp_path / "outside/x_105.tif")
    put(root / "train-100/x_100.tif", 5)
    put(root / "train-100/deeper/x_101.tif")
    put(root / "train-100/x_900_mask.tif")
    put(root / "test-100/y_110.tif", 5)  # the same image
    (root / "train-100/x_105.tif").symlink_to(outside)
    (root / "train-100/x_100_mask.tif").symlink_to(outside)
    (root / "test-30").symlink_to(outside.parent)
    (root / "train-100/list.csv").touch()
    (root / "train-100/Thumbs.db").touch()
    os.mkfifo(root / "train-100/x_106.tif")
    assert [row[0] for row in table_of(root)] == ["train-100/100", "test-100/110"]
    notes = organoids(mask="apply").open(root).notes
    assert notes == {
        "files that are no images": {"count": 1, "first": ["train-100/list.csv"]},
        "folders or special files where images are expected": {
            "count": 2,
            "first": ["train-100/deeper", "train-100/x_106.tif"],
        },
        "links that lead out of the dataset": {
            "count": 3,
            "first": ["test-30", "train-100/x_100_mask.tif", "train-100/x_105.tif"],
        },
        "folders not there": ["test-unlabeled"],
        "masks without an image": {"count": 1, "first": ["train-100/x_900_mask.tif"]},
        "images without a mask": {"count": 2, "first": ["test-100/y_110.tif", "train-100/x_100.tif"]},
        "identical images": [["train-100/x_100.tif", "test-100/y_110.tif"]],
    }
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "data").symlink_to(root)
    with pytest.raises(DataError, match="holds none"):
        organoids().open(linked)


def test_hostile_images_are_listed_by_prepare(tmp_path: Path):
    split = tmp_path / "train-100"
    whole = put(split / "a_100.tif").read_bytes()
    (split / "a_101.tif").write_bytes(whole[:-30])
    (split / "a_102.tif").touch()
    (split / "a_103.tif").write_text("text\r\n")
    tifffile.imwrite(split / "a_104.tif", picture(1)[..., 0])  # grey
    tifffile.imwrite(split / "a_105.tif", (picture(1) >> 8).astype(np.uint8), photometric="rgb")
    tifffile.imwrite(split / "a_106.tif", picture(1).astype(np.float32), photometric="rgb")
    huge = bytearray(whole)
    with tifffile.TiffFile(split / "a_100.tif") as tiff:
        for tag in ("ImageWidth", "ImageLength"):
            found = tiff.pages.first.tags[tag]
            size = found.valueoffset, 4 if found.dtype == 4 else 2
            huge[size[0] : size[0] + size[1]] = (60_000).to_bytes(size[1], "little")
    (split / "a_107.tif").write_bytes(bytes(huge))
    described = prepared(tmp_path, tmp_path)
    assert described["n"] == 1
    expected = {
        "a_101": "is cut off",
        "a_102": "is empty",
        "a_103": "is not a JPEG, PNG, BMP, WebP or TIFF image",
        "a_104": "has no colours",
        "a_105": "has 3 channels of uint8",
        "a_106": "BitsPerSample (tag 258) is 32: RGB pixels of type float32; those of 8, 16 bits are read",
        "a_107": "declares 60000 x 60000 pixels; the limit is 100000000 pixels",
    }
    bad = {Path(b["where"]).stem: b["what"] for b in described["bad_images"]}
    assert bad.keys() == expected.keys()
    for name, what in expected.items():
        assert bad[name].startswith(what)


@settings(max_examples=60)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6), end=st.integers()
)
def test_a_damaged_file_is_bad_or_has_the_right_shape(
    changes: Sequence[tuple[int, int]], end: int, tmp_path_factory: pytest.TempPathFactory
):
    root = tmp_path_factory.mktemp("fuzz")
    path = put(root / "test-30/x_1100.tif")
    data = bytearray(path.read_bytes())
    for at, value in changes:
        data[at % len(data)] = value
    path.write_bytes(data[: len(data) - end % 8])
    (found,) = organoids().open(root).read_many(range(1))
    if isinstance(found, BadImage):
        assert str(path) in str(found)
    else:
        assert found.shape[2:] == (3,)


def test_padding_is_zero_and_centred_with_the_rest_below(tmp_path: Path):
    (tmp_path / "test-30").mkdir()
    image = picture(0, height=4, width=7)
    tifffile.imwrite(tmp_path / "test-30/x_1100.tif", image, photometric="rgb")
    dataset, folder = organoids(size=7), tmp_path / "prepared"
    folder.mkdir()
    prepare(dataset.open(tmp_path), dataset, folder, make_run(tmp_path))
    pixels = load(folder, labels=False).batch(0, 1)[0]
    np.testing.assert_array_equal(pixels[:, 1:5], image.transpose(2, 0, 1))
    assert not pixels[:, [0, 5, 6]].any()
    assert organoids().size == 256


def test_checks_know_the_complete_data_and_tell_a_part_from_it(tmp_path: Path):
    root = full(tmp_path / "root")
    images = organoids().open(root)
    checks = organoids().checks(root, images)
    assert len(checks) == 10
    assert all(check.ok for check in checks)
    (root / "train-100/a_100.tif").unlink()
    (root / "test-30/a_1309.tif").rename(root / "test-30/a_209.tif")
    wrong = {
        c.what: (c.expected, c.found) for c in organoids().checks(root, organoids().open(root)) if not c.ok
    }
    assert wrong == {
        "images in train-100": (100, 99),
        "images per class in train-100": ("10", "9, 10"),
        "classes in test-30": ("11, 12, 13", "2, 11, 12, 13"),
        "images per class in test-30": ("10", "1, 9, 10"),
        "classes in both train-100 and test-30": (0, 1),
    }


def test_checks_of_unlabelled_images_alone(tmp_path: Path):
    put(tmp_path / "test-unlabeled/a.tif")
    found = organoids().checks(tmp_path, organoids().open(tmp_path))
    assert {c.found for c in found if c.what.startswith("images in")} == {0}


def test_wrong_parameters_are_refused():
    for wrong in ({"mask": "use"}, {"channels": "rbg"}, {"mask": True}):
        with pytest.raises(ValidationError):
            organoids(**wrong)


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, bench.datasets.organoids, bench.datasets.synthetic.organoids;"
        "print([m for m in ('numpy', 'pandas', 'cv2', 'tifffile') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_opencv_and_tifffile_write_the_same_order(tmp_path: Path):
    image = picture(2)
    for i, write in enumerate(
        (
            lambda p: tifffile.imwrite(p, image, photometric="rgb"),
            lambda p: cv2.imwrite(str(p), image[..., ::-1]),
        )
    ):
        path = tmp_path / f"test-30/x_{1100 + i}.tif"
        path.parent.mkdir(exist_ok=True)
        write(path)
    images = organoids().open(tmp_path)
    np.testing.assert_array_equal(images.read(0), images.read(1))
