from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from bench.datasets.synthetic.drawing.sprites import KINDS, draw
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import confusion_matrix

from bench.adapters.registry import load as load_adapter
from bench.images import Prepared
from bench.imaging.prepare import load, prepare
from bench.interfaces import Dataset, Generator, Run


def plankton(**parameters: int | float) -> Generator:
    return cast(Generator, load_adapter("generator", "plankton").model_validate(parameters))


def kaggle() -> Dataset:
    return cast(Dataset, load_adapter("dataset", "kaggle_plankton")())


def make_run(folder: Path, threads: int = 1) -> Run:
    return Run(0, threads, "cpu", "float32", logging.getLogger("test"), folder, lambda *_: None)


def written(folder: Path, **parameters: int | float) -> dict[str, bytes]:
    folder.mkdir()
    plankton(**parameters).write(folder, make_run(folder))
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*.jpg"))}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    root, folder = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("prepared")
    plankton(images=600).write(root, make_run(root))
    dataset = kaggle()
    prepare(dataset.open(root), dataset, folder, make_run(root))
    return load(folder, labels=True)


def test_same_parameters_same_bytes(tmp_path: Path):
    assert written(tmp_path / "a", images=60, seed=5) == written(tmp_path / "b", images=60, seed=5)


def test_an_image_depends_on_the_seed_and_its_number_only(tmp_path: Path):
    few, many = written(tmp_path / "few", images=40), written(tmp_path / "many", images=90)
    assert len(few) == 40
    assert len(many) == 90
    assert few.items() <= many.items()
    other = written(tmp_path / "other", images=40, seed=1)
    assert not set(few.values()) & set(other.values())
    assert len(set(many.values())) == 90


@pytest.mark.parametrize("seed", [-1, 2**70])
def test_any_seed_will_do(tmp_path: Path, seed: int):
    assert len(written(tmp_path / "x", images=3, seed=seed)) == 3


def test_the_dataset_reads_it_and_finds_nothing_odd(tmp_path: Path):
    plankton(images=100).write(tmp_path, make_run(tmp_path))
    images = kaggle().open(tmp_path)
    assert images.notes == {}
    assert set(images.table["label"]) == set(KINDS)
    assert sorted(map(int, images.table["id"])) == list(range(1, 101))
    assert all(images.read(row).shape[2] == 1 for row in range(100))


@pytest.mark.parametrize("balance", [1.0, 0.5, 0.1])
def test_class_sizes_follow_the_balance(tmp_path: Path, balance: float):
    n = 300
    plankton(images=n, balance=balance).write(tmp_path, make_run(tmp_path))
    sizes = np.array([len(list((tmp_path / "train" / kind).iterdir())) for kind in sorted(KINDS)])
    shares = np.linspace(1, balance, 6)
    assert sizes.sum() == n
    assert np.abs(sizes - n * shares / shares.sum()).max() <= 3


@pytest.mark.parametrize("n", [12, 20, 50])
def test_small_sets_have_every_class(tmp_path: Path, n: int):
    plankton(images=n).write(tmp_path, make_run(tmp_path))
    assert all(list((tmp_path / "train" / kind).iterdir()) for kind in KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_images_look_like_crops_of_dark_objects_on_white(kind: str):
    rng = np.random.default_rng(0)
    images = [draw(kind, rng) for _ in range(60)]
    longer = np.array([max(i.shape) for i in images])
    assert 40 <= np.median(longer) <= 100
    assert longer.max() <= 260
    assert min(min(i.shape) for i in images) >= 20
    assert longer.max() > 1.5 * longer.min()
    for image in images:
        assert image.dtype == np.uint8
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert np.median(border) > 225
        assert image.min() < 190


@pytest.mark.slow
def test_rotation_defeats_raw_pixels_but_not_rotation_invariant_features(prepared: Prepared):
    images = prepared.batch(0, len(prepared))[:, 0]
    raw = accuracy(prepared, images.reshape(len(images), -1).astype(np.float32))
    invariant = accuracy(prepared, np.stack([polar_spectrum(i) for i in images]))
    assert raw < 0.55
    assert invariant > raw + 0.2


@pytest.mark.slow
def test_brightness_and_size_do_not_give_the_class_away(prepared: Prepared):
    images = prepared.batch(0, len(prepared))[:, 0].astype(np.float32)
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(1)
    assert accuracy(prepared, corners[:, None]) < 0.4


def accuracy(prepared: Prepared, features: NDArray[np.float32]) -> float:
    found = KMeans(6, n_init=3, random_state=0).fit_predict(features)
    pairs = confusion_matrix(prepared.labels, found)
    return float(pairs[linear_sum_assignment(-pairs)].sum() / pairs.sum())


def polar_spectrum(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Magnitudes of the angular frequencies on rings about the centroid, at unit norm."""
    dark = np.maximum(240 - image.astype(np.float32), 0)
    m = cv2.moments(dark)
    centre = (m["m10"] / m["m00"], m["m01"] / m["m00"])
    polar = cv2.warpPolar(dark, (24, 64), centre, 36, cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS)
    spectrum = np.sqrt(np.abs(np.fft.rfft(polar, axis=0))[:17]).ravel()
    return np.asarray(spectrum / np.linalg.norm(spectrum), np.float32)
