from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import balanced_accuracy_score

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared
from tests.methods.classifiers.drawn import CLASSES, fields, fitted, images, stretched, whole_and_killed

SMALL: dict[str, Any] = {"image_size": 32, "width": 8, "hidden": 16, "batch": 8}
PROPER = {**SMALL, "epochs": 12, "rate": 0.002}


@pytest.mark.slow
def test_proper_training_tells_cells_apart(tmp_path: Path) -> None:
    pixels, labels = fields()
    data = stretched(pixels)
    cnn, run = fitted(tmp_path, "simple_cnn", PROPER, images(data[:48], labels[:48]))
    p = cnn.predict(prepared(data[48:], classes=CLASSES), tmp_path / "w", make_run())
    assert p.shape == (16, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert balanced_accuracy_score(labels[48:], p.argmax(axis=1)) > 0.8
    assert run.facts["collapsed"] is None
    assert run.facts["classes"] == {"control": 12, "perturbed": 36}
    assert run.facts["class_weights"] == [2.0, 0.666667]
    assert run.facts["steps"] == 12 * 6
    assert len(run.facts["epochs"]["accuracy"]) == 12


@pytest.mark.slow
def test_the_published_pipeline_collapses_on_16_bit_images(tmp_path: Path) -> None:
    pixels, labels = fields()
    assert pixels.min() > 255
    with pytest.warns(UserWarning, match=r"simple_cnn collapsed: in the last epoch all .* 'perturbed'"):
        cnn, run = fitted(
            tmp_path, "simple_cnn", {**SMALL, "faithful": True}, images(pixels[:48], labels[:48])
        )
    p = cnn.predict(prepared(pixels[48:], classes=CLASSES), tmp_path / "w", make_run())
    assert (p == p[0]).all()
    assert balanced_accuracy_score(labels[48:], p.argmax(axis=1)) == 0.5
    assert run.facts["collapsed"] == "all were predicted as 'perturbed'"
    assert run.facts["epochs"]["accuracy"][-1] == 75.0  # the share of the larger class
    assert run.facts["class_weights"] == [1, 1]


@pytest.mark.slow
def test_classes_of_several_kinds_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(45) % 3
    pixels = (
        (rng.normal(40, 3, (45, 1, 16, 16)) + 80 * labels[:, None, None, None]).clip(0, 255).astype(np.uint8)
    )
    named = images(pixels, labels + 1, ("none", "x", "y", "z"))
    cnn, _ = fitted(tmp_path, "simple_cnn", {**PROPER, "image_size": 16, "epochs": 25}, named)
    p = cnn.predict(prepared(pixels, classes=("x", "none", "z", "y")), tmp_path / "w", make_run())
    assert (p[:, 1] == 0).all()
    assert (np.array([0, 3, 2])[labels] == p.argmax(axis=1)).mean() > 0.95
    with pytest.raises(DataError, match="fitted class 'z' is not among the 3 classes"):
        cnn.predict(prepared(pixels, classes=("x", "y", "other")), tmp_path / "w", make_run())
    with pytest.raises(DataError, match="faithful: the published network has 2 classes, these images 3"):
        fitted(tmp_path / "f", "simple_cnn", {**SMALL, "faithful": True}, named)


def test_parameters_are_counted_and_the_defaults_are_the_published_ones(tmp_path: Path) -> None:
    cnn = adapter("classifiers", "simple_cnn")
    assert (cnn.image_size, cnn.width, cnn.hidden, cnn.epochs, cnn.batch) == (256, 64, 512, 20, 32)
    pixels, labels = fields(16)
    _, run = fitted(tmp_path, "simple_cnn", {**SMALL, "epochs": 1}, images(pixels, labels))
    wanted = (9 + 1) * 8 + (8 * 9 + 1) * 16 + (16 * 8 * 8 + 1) * 16 + 17
    assert run.facts["parameters"] == wanted


def test_fewer_images_than_a_batch_are_one_batch(tmp_path: Path) -> None:
    pixels, labels = fields(8)
    _, run = fitted(tmp_path, "simple_cnn", {**SMALL, "batch": 500, "epochs": 3}, images(pixels, labels))
    assert run.facts["steps"] == 3


@pytest.mark.parametrize("channels", ["grey", "native"])
def test_other_numbers_of_channels(tmp_path: Path, channels: str) -> None:
    pixels, labels = fields(16)
    cnn, _ = fitted(
        tmp_path, "simple_cnn", {**SMALL, "epochs": 1, "channels": channels}, images(pixels, labels)
    )
    three = prepared(pixels[:, :3], classes=CLASSES)
    if channels == "grey":  # one channel, whatever there were
        assert cnn.predict(three, tmp_path / "w", make_run()).shape == (16, 2)
    else:
        with pytest.raises(DataError, match=r"conv1.weight is \(8, 5, 3, 3\) for \(8, 3, 3, 3\)"):
            cnn.predict(three, tmp_path / "w", make_run())


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    pixels, labels = fields(16)
    with pytest.raises(DataError, match=r"at least 2 classes .* all of 'control'"):
        fitted(tmp_path / "a", "simple_cnn", SMALL, images(pixels, 0 * labels))
    with pytest.raises(DataError, match=r"the loss is (nan|inf) at step"):
        fitted(tmp_path / "b", "simple_cnn", {**SMALL, "rate": 1e30}, images(pixels, labels))
    wrong: list[dict[str, Any]] = [
        {"image_size": 30},
        {"width": 0},
        {"faithful": True, "channels": "native"},
        {"faithful": True, "class_weights": "balanced"},
        {"faithful": True, "augment": True},
    ]
    for params in wrong:
        with pytest.raises(ValidationError):
            adapter("classifiers", "simple_cnn", **params)


@pytest.mark.slow
@pytest.mark.parametrize("faithful", [False, True])
def test_a_killed_training_goes_on_to_the_very_same_weights(tmp_path: Path, faithful: bool) -> None:
    params = {**SMALL, "image_size": 16, "epochs": 60, "faithful": faithful}
    whole, killed = whole_and_killed(tmp_path, "simple_cnn", params, 40)
    assert whole == killed


def test_the_seed_decides(tmp_path: Path) -> None:
    pixels, labels = fields(16)
    data, params = images(pixels, labels), {**SMALL, "epochs": 1}
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        fitted(tmp_path / name, "simple_cnn", params, data, seed=seed)
        weights.append((tmp_path / name / "w" / "network.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]
