from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from bench.errors import DataError
from tests.methods import make_run, prepared
from tests.methods.classifiers.drawn import CLASSES, fields, fitted, images, stretched, whole_and_killed

SMALL: dict[str, Any] = {"cell_size": 16, "width": 8, "hidden": 16, "batch": 16, "min_area": 10}


@pytest.mark.slow
def test_cells_tell_what_their_images_are(tmp_path: Path) -> None:
    pixels, labels = fields(64, 64)
    data = stretched(pixels)
    params = {**SMALL, "epochs": 12, "rate": 0.004, "channels": "native"}
    cnn, run = fitted(tmp_path, "seg_cnn", params, images(data[:48], labels[:48]))
    where = make_run()
    p = cnn.predict(prepared(data[48:], classes=CLASSES), tmp_path / "w", where)
    assert p.shape == (16, 2)
    assert balanced_accuracy_score(labels[48:], p.argmax(axis=1)) > 0.8
    assert run.facts["cells"] > 48
    assert run.facts["images_without_cells"] == where.facts["images_without_cells"] == 0


@pytest.mark.slow
def test_an_image_without_a_cell_counts_as_one(tmp_path: Path) -> None:
    pixels, labels = fields(16)
    data = pixels.copy()
    data[:3] = 300
    cnn, run = fitted(tmp_path, "seg_cnn", {**SMALL, "epochs": 1}, images(data, labels))
    assert run.facts["images_without_cells"] == 3
    assert run.facts["cells"] >= 16
    where = make_run()
    p = cnn.predict(prepared(data[:4], classes=CLASSES), tmp_path / "w", where)
    assert where.facts["images_without_cells"] == 3
    np.testing.assert_array_equal(p[0], p[1])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)


def test_an_images_probabilities_are_the_means_over_its_cells(tmp_path: Path) -> None:
    from bench.nn.inputs import tensor
    from bench.nn.simple_cnn import class_probabilities

    pixels, labels = fields(16)
    cnn, _ = fitted(tmp_path, "seg_cnn", {**SMALL, "epochs": 1, "most": 5}, images(pixels, labels))
    data = prepared(pixels, classes=CLASSES)
    network, view, classes = cnn.loaded(data, tmp_path / "w", make_run())
    assert tuple(classes) == CLASSES
    cells = cnn.shown(data, make_run())
    assert np.bincount(cells.image).max() <= 5
    each = class_probabilities(network(view(tensor(cells.pixels(np.arange(len(cells.image))), "cpu"))))
    wanted = [each.detach().numpy()[cells.image == i].mean(axis=0) for i in range(16)]
    np.testing.assert_allclose(cnn.predict(data, tmp_path / "w", make_run()), wanted, atol=1e-5)


@pytest.mark.slow
def test_the_published_pipeline_finds_whole_images_only_and_collapses(tmp_path: Path) -> None:
    pixels, labels = fields()
    faithful = {**SMALL, "faithful": True, "epochs": 10}
    with pytest.warns(UserWarning, match="seg_cnn collapsed"):
        cnn, run = fitted(tmp_path, "seg_cnn", faithful, images(pixels[:48], labels[:48]))
    assert run.facts["cells"] == run.facts["images_without_cells"] == 48
    p = cnn.predict(prepared(pixels[48:], classes=CLASSES), tmp_path / "w", make_run())
    assert balanced_accuracy_score(labels[48:], p.argmax(axis=1)) == 0.5


@pytest.mark.slow
@pytest.mark.parametrize("faithful", [False, True])
def test_a_killed_training_goes_on_to_the_very_same_weights(tmp_path: Path, faithful: bool) -> None:
    params = {**SMALL, "epochs": 200, "faithful": faithful}
    whole, killed = whole_and_killed(tmp_path, "seg_cnn", params, 16)
    assert whole == killed


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    pixels, labels = fields(16)
    with pytest.raises(DataError, match="segment_on: channel 5 of images that have 5"):
        fitted(tmp_path / "a", "seg_cnn", {**SMALL, "segment_on": 5}, images(pixels, labels))
    if importlib.util.find_spec("cellpose") is None:
        with pytest.raises(DataError, match=r"pip install cutjoin\[cellpose\]"):
            fitted(tmp_path / "b", "seg_cnn", {**SMALL, "segmentation": "cellpose"}, images(pixels, labels))


def test_feature_maps_are_of_the_largest_cell_of_each_image(tmp_path: Path) -> None:
    pixels, labels = fields(8)
    cnn, _ = fitted(tmp_path, "seg_cnn", {**SMALL, "epochs": 1}, images(pixels, labels))
    data = prepared(pixels[:3], classes=CLASSES)
    found = cnn.feature_maps(data, tmp_path / "w", make_run())
    side = cnn.cell_size
    assert found.inputs.shape == (3, side, side)
    assert [m.shape for m in found.layers] == [
        (3, cnn.width, side, side),
        (3, 2 * cnn.width, side // 2, side // 2),
    ]
    assert found.note == "The largest cell of each image."
    assert all((m >= 0).all() for m in found.layers)
