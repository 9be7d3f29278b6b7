from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import confusion_matrix

from bench.adapters.registry import load as load_adapter
from bench.images import Prepared
from bench.imaging.prepare import load, prepare
from bench.interfaces import Dataset, Encoder, Generator, Run


def organoids(**parameters: int) -> Generator:
    return cast(Generator, load_adapter("generator", "organoids").model_validate(parameters))


def dataset(**parameters: object) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "organoids").model_validate(parameters))


def make_run(folder: Path) -> Run:
    return Run(0, 1, "cpu", "float32", logging.getLogger("test"), folder, lambda *_: None)


def written(folder: Path, **parameters: int) -> dict[str, bytes]:
    folder.mkdir()
    organoids(**parameters).write(folder, make_run(folder))
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*.tif"))}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    organoids(images=250).write(root, make_run(root))
    return root


@pytest.fixture(scope="module")
def prepared(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    adapter = dataset(size=64)
    prepare(adapter.open(root), adapter, folder, make_run(root))
    return load(folder, labels=True)


@pytest.mark.slow
def test_a_large_set_has_the_real_numbers(root: Path):
    images = dataset().open(root)
    assert [c.what for c in dataset().checks(root, images) if not c.ok] == []
    assert images.notes == {}
    assert Counter(images.table["split"]) == {
        "train-100": 100,
        "test-100": 100,
        "test-30": 30,
        "test-unlabeled": 20,
    }


@pytest.mark.slow
def test_files_are_as_in_the_real_layout(root: Path):
    for path in dataset().files(root)[::17]:
        image, mask = tifffile.imread(path), tifffile.imread(path.with_name(f"{path.stem}_mask.tif"))
        assert image.dtype == np.uint16
        assert image.shape == (*mask.shape, 3)
        assert mask.dtype == np.uint8
        assert ((image > 0).any(2) == (mask > 0)).all()
    applied, ignored = dataset(mask="apply").open(root), dataset(mask="ignore").open(root)
    np.testing.assert_array_equal(applied.read(3), ignored.read(3))  # the background is 0 already


@pytest.mark.slow
def test_an_image_depends_on_the_seed_and_its_number_only(tmp_path: Path):
    few, again = written(tmp_path / "few", images=30), written(tmp_path / "again", images=30)
    many = written(tmp_path / "many", images=50)
    assert len(few) == 60  # a mask each
    assert few == again
    assert few.items() <= many.items()
    other = written(tmp_path / "other", images=30, seed=1)
    assert few.keys() == other.keys()
    assert not {few[k] for k in few if "mask" not in k} & set(other.values())


@pytest.mark.slow
@pytest.mark.parametrize("n", [46, 60, 95])
def test_every_class_has_two_images_in_each_of_its_folders(tmp_path: Path, n: int):
    organoids(images=n).write(tmp_path, make_run(tmp_path))
    images = dataset().open(tmp_path)
    table = images.table.dropna(subset="label")
    sizes = Counter(zip(table["split"], table["label"], strict=True))
    assert len(images.table) == n
    assert len(sizes) == 23
    assert min(sizes.values()) >= 2
    assert max(sizes.values()) - min(sizes.values()) <= 1


@pytest.mark.parametrize("n", [1, 12, 13])
def test_tiny_sets_can_be_read(tmp_path: Path, n: int):
    organoids(images=n, seed=-1).write(tmp_path, make_run(tmp_path))
    table = dataset().open(tmp_path).table
    assert len(table) == n
    if n == 12:
        assert Counter(table["label"]).most_common()[-1][1] >= 2
        assert set(table["subset"]) == {"seen", "unseen"}


def test_classes_are_neither_trivial_nor_hidden(prepared: Prepared):
    raw, polar = (accuracy(prepared, features(prepared, name)) for name in ("pixels", "polar_fft"))
    assert 1.5 / 13 < raw < 0.5
    assert raw + 0.05 < polar < 0.8
    clipped = replace(prepared, pixels=np.minimum(prepared.pixels[:], 255))
    assert accuracy(clipped, features(clipped, "polar_fft")) < polar - 0.08


def test_brightness_and_size_do_not_give_the_class_away(prepared: Prepared):
    pixels = prepared.batch(0, len(prepared)).astype(np.float32)
    colours = np.log1p(pixels.sum((2, 3)) / (pixels > 0).sum((2, 3)))
    assert accuracy(prepared, colours) < 0.3


def features(prepared: Prepared, name: str) -> NDArray[np.float32]:
    parameters = {"side": 32} if name == "pixels" else {}
    encoder = cast(Encoder, load_adapter("encoder", name)(**parameters))
    return encoder.encode(prepared, None, make_run(Path()))


def accuracy(prepared: Prepared, features: NDArray[np.float32]) -> float:
    assert prepared.labels is not None
    known = prepared.labels >= 0
    found = KMeans(13, n_init=2, random_state=0).fit_predict(features[known])
    pairs = confusion_matrix(prepared.labels[known], found)
    return float(pairs[linear_sum_assignment(-pairs)].sum() / pairs.sum())
