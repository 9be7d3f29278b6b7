from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared
from tests.methods.encoders.trained import fitted, noise, whole_and_killed

TINY: dict[str, Any] = {"width": 4, "image_size": 96, "batch": 8, "steps": 12}


@pytest.mark.parametrize(
    ("channels", "dtype", "changes", "run"),
    [
        (1, np.uint8, {}, {}),
        (3, np.uint16, {"merge": "concat", "patch_size": 31}, {}),
        (6, np.uint8, {"channels": "native", "merge": "sub", "encoded": "mean"}, {}),
        (1, np.uint8, {}, {"precision": "bfloat16"}),
    ],
)
def test_grey_colour_and_many_channels_train_and_encode(
    tmp_path: Path, channels: int, dtype: type, changes: dict[str, Any], run: dict[str, Any]
) -> None:
    pixels = noise(channels=channels, dtype=dtype)
    features, facts = fitted(tmp_path, "patch_context", {**TINY, **changes}, pixels, **run)
    position: Any = facts["position"]
    assert features.shape == (24, 4)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert set(facts["curve"]) == {"loss", "accuracy"}  # type: ignore[arg-type]
    assert (facts["steps"], position["chance"], position["images"]) == (12, 0.25, 2)
    right = sum(position["answers"][name][i] for i, name in enumerate(("up", "down", "left", "right")))
    assert position["accuracy"] == right / 8
    half = adapter("encoders", "patch_context", **{**TINY, **changes})
    again = half.encode(prepared(pixels), tmp_path / "w", make_run(precision="bfloat16"))
    np.testing.assert_allclose(again, features, atol=0.2)


def test_the_published_network_is_the_default(tmp_path: Path) -> None:
    pixels = noise(4, channels=3, height=400, width=400)
    features, facts = fitted(tmp_path, "patch_context", {"steps": 1, "batch": 2}, pixels)
    assert facts["parameters"] == 14_036
    assert features.shape == (4, 100)


def test_the_mean_is_that_over_nine_patches(tmp_path: Path) -> None:
    pixels = noise(3, height=96, width=96)
    _, _ = fitted(tmp_path, "patch_context", TINY, pixels)
    mean = adapter("encoders", "patch_context", **TINY, encoded="mean")
    found = mean.encode(prepared(pixels), tmp_path / "w", make_run())
    middle = adapter("encoders", "patch_context", **TINY)
    each = []
    for row in range(3):
        for column in range(3):
            moved = np.roll(pixels, (32 * (1 - row), 32 * (1 - column)), axis=(2, 3))
            each.append(middle.encode(prepared(moved), tmp_path / "w", make_run()))
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-5)


def test_the_seed_decides_and_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    a, one = fitted(tmp_path / "a", "patch_context", TINY, noise())
    b, again = fitted(tmp_path / "b", "patch_context", TINY, noise())
    c, _ = fitted(tmp_path / "c", "patch_context", TINY, noise(), seed=1)
    np.testing.assert_array_equal(a, b)
    one.pop("speed"), again.pop("speed")
    assert one == again
    assert not np.allclose(a, c)


def test_epochs_are_of_pairs_and_none_leave_the_weights_random(tmp_path: Path) -> None:
    changes = {**TINY, "steps": None, "held_out": 0.25}
    _, none = fitted(tmp_path / "none", "patch_context", {**changes, "epochs": 0}, noise())
    _, two = fitted(tmp_path / "two", "patch_context", {**changes, "epochs": 2}, noise())
    _, all_seen = fitted(tmp_path / "all", "patch_context", {**TINY, "held_out": 0}, noise())
    assert (none["steps"], two["steps"]) == (0, 2 * 18 * 4 // 8)
    assert none["start"] == two["start"]
    assert all_seen["position"]["accuracy"] is None  # type: ignore[index,call-overload]


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], Any, str]] = [
        ({"image_size": None}, noise(), "3 x 3 grid of 16 px images: patches of 5 px are too small"),
        ({"patch_size": 40}, noise(), "patch_size: 40 px, but .* cells of 32 px"),
        ({"batch": 128}, noise(), "128 images per batch, but only 88"),
        ({}, noise(channels=6), "channels: rgb needs images of 1 or 3 channels, these have 6"),
        ({}, np.full((24, 3, 96, 96), np.nan, np.float32), "pixels: float32, in which NaN may hide"),
        ({"rate": 1e30}, noise(), "loss is (nan|inf) at step"),
    ]
    for i, (changes, pixels, said) in enumerate(wrong):
        with pytest.raises(DataError, match=said):
            fitted(tmp_path / str(i), "patch_context", {**TINY, **changes}, pixels)
    for bad in ({"merge": "max"}, {"batch": 1}, {"held_out": 1}, {"width": 3}, {"dropout": 1}):
        with pytest.raises(ValidationError):
            adapter("encoders", "patch_context", **bad)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    fitted(tmp_path, "patch_context", TINY, noise())
    other = adapter("encoders", "patch_context", **{**TINY, "width": 8})
    with pytest.raises(DataError, match=r"weights: .* does not fit .* tensors differ"):
        other.encode(prepared(noise()), tmp_path / "w", make_run())


def test_a_killed_training_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    whole, killed = whole_and_killed(tmp_path, "patch_context", {**TINY, "steps": 150})
    assert whole == killed
