from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from bench.images import BadImage
from bench.layouts import channelset
from bench.layouts.channelset import ChannelSet, FolderTree, examples


def write(path: Path, image: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def channel_set(folder: Path, n: int, **facts: Any) -> ChannelSet:
    table = pd.DataFrame({"id": ["a"], "label": [None]})
    names = tuple(f"{k}.png" for k in range(n))
    return ChannelSet(table, [(folder, names)], **{"dtype": np.uint8, "notes": {}, **facts})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_channels_lie_in_their_order_and_nothing_is_clipped(tmp_path: Path, dtype: Any, n: int):
    top = np.iinfo(dtype).max + 1
    planes = np.random.default_rng(0).integers(0, top, (n, 5, 7)).astype(dtype)
    for k, plane in enumerate(planes):
        write(tmp_path / f"{k}.png", plane)
    images = channel_set(tmp_path, n, dtype=dtype)
    assert images.channels == n
    np.testing.assert_array_equal(images.read(0), planes.transpose(1, 2, 0))
    assert images.where(0) == str(tmp_path / "0.png")


def test_a_mix_is_a_clipped_weighted_sum(tmp_path: Path):
    rng = np.random.default_rng(0)
    planes = rng.integers(0, 256, (6, 9, 8)).astype(np.uint8)
    for k, plane in enumerate(planes):
        write(tmp_path / f"{k}.png", plane)
    mix = rng.uniform(0, 1, (3, 6))
    images = channel_set(tmp_path, 6, mix=mix)
    wanted = np.clip(planes.transpose(1, 2, 0).astype(float) @ mix.T, 0, 255)
    assert images.channels == 3
    assert images.read(0).dtype == np.uint8
    assert np.abs(images.read(0) - wanted).max() <= 0.5 + 1e-4


def test_another_depth_and_another_size_are_bad(tmp_path: Path):
    write(tmp_path / "0.png", np.zeros((4, 5), np.uint8))
    write(tmp_path / "1.png", np.zeros((4, 6), np.uint8))
    with pytest.raises(BadImage, match=r"1\.png: is 6 x 4, but 0\.png is 5 x 4"):
        channel_set(tmp_path, 2).read(0)
    write(tmp_path / "1.png", np.zeros((4, 5), np.uint16))
    with pytest.raises(BadImage, match=r"1\.png: has pixels of uint16, not uint8"):
        channel_set(tmp_path, 2).read(0)
    (tmp_path / "1.png").unlink()
    with pytest.raises(BadImage, match=r"1\.png: cannot be read"):
        channel_set(tmp_path, 2).read(0)


def test_the_limit_on_pixels_is_for_all_channels_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for k in range(3):
        write(tmp_path / f"{k}.png", np.zeros((10, 10), np.uint8))
    monkeypatch.setattr(channelset, "MAX_PIXELS", 300)
    assert channel_set(tmp_path, 3).read(0).shape == (10, 10, 3)
    monkeypatch.setattr(channelset, "MAX_PIXELS", 299)
    with pytest.raises(BadImage, match="the limit is 99 pixels"):
        channel_set(tmp_path, 3).read(0)


def test_a_tree_lists_what_is_there_and_nothing_outside(tmp_path: Path):
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/x.png").touch()
    (root / "a/.hidden").touch()
    (tmp_path / "secret.png").touch()
    (root / "a/link.png").symlink_to(tmp_path / "secret.png")
    (root / "a/fine.png").symlink_to(root / "a/x.png")
    (root / "a/loop").symlink_to(root / "a/loop")
    (root / "out").symlink_to(tmp_path)
    tree = FolderTree(root)
    assert tree.files("a") == {"x.png", "fine.png"}
    assert tree.folders("a") == ("b",)
    assert tree.folders("") == ("a",)
    for outside in ("..", "out", "/", str(tmp_path), "a/../..", "\0", "a" * 5000, "none", "a/x.png"):
        assert not tree.files(outside)
        assert not tree.folders(outside)


def test_examples_count_all_and_name_a_few():
    assert examples([str(i) for i in range(30)]) == {"count": 30, "first": [str(i) for i in range(10)]}
