from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared
from tests.methods.encoders.trained import fitted, noise, whole_and_killed

TINY: dict[str, Any] = {"arch": "conv5", "width": 2, "batch": 8, "steps": 12, "outputs": 8}


@pytest.mark.parametrize(
    ("channels", "dtype", "changes", "run"),
    [
        (1, np.uint8, {"rotate": False}, {}),
        (3, np.uint16, {"normalise": "imagenet"}, {}),
        (6, np.uint8, {"channels": "native", "blur": 0}, {}),
        (1, np.uint8, {}, {"precision": "bfloat16"}),
    ],
)
def test_grey_colour_and_many_channels_train_and_encode(
    tmp_path: Path, channels: int, dtype: type, changes: dict[str, Any], run: dict[str, Any]
) -> None:
    features, facts = fitted(
        tmp_path, "simclr", {**TINY, **changes}, noise(channels=channels, dtype=dtype), **run
    )
    curve: Any = facts["curve"]
    assert features.shape == (24, 16)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert facts["steps"] == 12
    assert curve["loss"][-1][0] == 12
    assert set(curve) == {"loss", "feature_spread", "spread"}
    assert facts["collapsed"] is None


def test_the_seed_and_the_rotation_decide(tmp_path: Path) -> None:
    a, one = fitted(tmp_path / "a", "simclr", TINY, noise())
    b, again = fitted(tmp_path / "b", "simclr", TINY, noise())
    c, _ = fitted(tmp_path / "c", "simclr", TINY, noise(), seed=1)
    still, _ = fitted(tmp_path / "d", "simclr", {**TINY, "rotate": False}, noise())
    np.testing.assert_array_equal(a, b)
    one.pop("speed"), again.pop("speed")
    assert one == again
    assert not np.allclose(a, c)
    assert not np.allclose(a, still)


def test_no_epochs_mean_random_weights_and_epochs_mean_all_images(tmp_path: Path) -> None:
    _, none = fitted(tmp_path / "none", "simclr", {**TINY, "epochs": 0, "steps": None}, noise())
    _, two = fitted(tmp_path / "two", "simclr", {**TINY, "epochs": 2, "steps": None}, noise())
    assert (none["steps"], two["steps"]) == (0, 6)
    assert none["start"] == two["start"]


def test_images_all_alike_are_told_as_a_collapse(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="SimCLR collapsed: all images have nearly the same"):
        features, facts = fitted(
            tmp_path, "simclr", {**TINY, "contrast": 0, "brightness": 0}, noise() * 0 + 9
        )
    assert isinstance(facts["collapsed"], str)
    assert np.isfinite(features).all()


def test_images_that_are_not_square_are_stretched_to_one(tmp_path: Path) -> None:
    features, _ = fitted(tmp_path, "simclr", TINY, noise(height=20, width=28))
    assert features.shape == (24, 16)


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"batch": 32}, 1, "32 images per batch, but only 24"),
        ({"arch": "resnet19", "width": None}, 1, "has no 'resnet19'"),
        ({"image_size": 8}, 1, "conv5 needs at least 16 px"),
        ({}, 6, "channels: rgb needs images of 1 or 3 channels, these have 6"),
        ({"rate": 1e30}, 1, "loss is (nan|inf) at step"),
    ]
    for i, (changes, channels, said) in enumerate(wrong):
        with pytest.raises(DataError, match=said):
            fitted(tmp_path / str(i), "simclr", {**TINY, **changes}, noise(channels=channels))
    for bad in ({"area": (0.5, 0.4)}, {"batch": 1}, {"temperature": 0}, {"warmup": 1}):
        with pytest.raises(ValidationError):
            adapter("encoders", "simclr", **bad)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    fitted(tmp_path, "simclr", TINY, noise())
    other = adapter("encoders", "simclr", **{**TINY, "width": 3})
    with pytest.raises(DataError, match=r"weights: .* does not fit .* tensors differ"):
        other.encode(prepared(noise()), tmp_path / "w", make_run())


def test_a_killed_training_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    whole, killed = whole_and_killed(tmp_path, "simclr", {**TINY, "steps": 100})
    assert whole == killed
