from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import DataError
from bench.nn import training
from bench.nn.autoencoders import published_count
from tests.methods import adapter, make_run, prepared
from tests.methods.encoders.test_rotation_autoencoder import TINY, pixels
from tests.methods.encoders.test_rotation_autoencoder import fitted as fitted_any

NAME = "autoencoder"


def fitted(folder: Path, images: np.ndarray, seed: int = 0, **changes: Any):
    return fitted_any(folder, images, seed, NAME, **changes)


def test_it_is_as_large_as_its_twin_but_for_the_last_convolution() -> None:
    with torch.device("meta"):
        network = adapter("encoders", NAME).built((1, 64, 64), make_run())
    assert published_count(network.decoder) == 45_801_795 - 15_632_064 - 5_888
    assert published_count(network) == 41_088_771


@pytest.mark.parametrize(
    ("channels", "dtype", "changes"),
    [
        (1, np.uint8, {}),
        (3, np.uint16, {"upsampling": "nearest", "image_size": 32}),
        (6, np.uint8, {"channels": "native", "normalise": "mean"}),
        (1, np.uint8, {"precision": "bfloat16"}),
    ],
)
def test_grey_colour_and_many_channels_train_and_encode(tmp_path: Path, channels, dtype, changes) -> None:
    features, facts = fitted(tmp_path, pixels(channels=channels, dtype=dtype), **changes)
    assert features.shape == (24, 16)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert facts["steps"] == 12
    assert facts["curve"]["loss"][-1][0] == 12
    assert facts["image_size"] == changes.get("image_size", 16)


def test_codes_in_bfloat16_are_nearly_those_in_float32(tmp_path: Path) -> None:
    features, _ = fitted(tmp_path, pixels())
    encoder = adapter("encoders", NAME, **TINY)
    short = encoder.encode(prepared(pixels()), tmp_path / "w", make_run(precision="bfloat16"))
    assert short.dtype == np.float32
    assert 0 < abs(short - features).max() < 0.05 * abs(features).max()


def test_codes_do_not_depend_on_the_other_images(tmp_path: Path) -> None:
    features, _ = fitted(tmp_path, pixels())
    some = adapter("encoders", NAME, **TINY).encode(prepared(pixels()[7:9]), tmp_path / "w", make_run())
    np.testing.assert_allclose(some, features[7:9], atol=1e-5)


@pytest.mark.slow
def test_the_seed_decides(tmp_path: Path) -> None:
    (a, one), (b, again), (c, _) = (
        fitted(tmp_path / str(i), pixels(), seed=s) for i, s in enumerate((0, 0, 1))
    )
    np.testing.assert_array_equal(a, b)
    one.pop("speed"), again.pop("speed")
    assert one == again
    assert not np.allclose(a, c)


def test_subtracting_the_mean_is_that_of_the_training_images(tmp_path: Path) -> None:
    fitted(tmp_path, pixels(channels=2), channels="native", normalise="mean")
    encoder = adapter("encoders", NAME, **TINY, channels="native", normalise="mean")
    network = encoder.network((2, 16, 16), tmp_path / "w", make_run())
    np.testing.assert_allclose(network.offset.flatten(), pixels(channels=2).mean((0, 2, 3)) / 255, rtol=1e-5)
    assert float(network.scale) == 1


@pytest.mark.slow
def test_training_reconstructs_images_better_than_their_mean_does(tmp_path: Path) -> None:
    x = np.tile(np.arange(16), (16, 1))
    phases = np.random.default_rng(0).uniform(0, 6, 16)
    images = np.stack([128 + 100 * np.sin(x / 2 + p) for p in phases]).astype(np.uint8)[:, None]
    still: dict[str, Any] = {
        "zoom": 0.0,
        "degrees": 0.0,
        "shift": 0.0,
        "flip": False,
        "rate": 1e-2,
        "width": 4,
    }
    _, facts = fitted(tmp_path, images, **{**still, "steps": 150})
    spread = np.var(images / 127.5, axis=0).mean()
    assert facts["curve"]["loss"][-1][1] < 0.3 * spread


def test_no_epochs_leave_the_weights_random(tmp_path: Path) -> None:
    features, facts = fitted(tmp_path / "none", pixels(), epochs=0, steps=None)
    trained, _ = fitted(tmp_path / "some", pixels())
    assert facts["steps"] == 0
    assert not np.allclose(features, trained)


def test_images_that_are_all_alike_have_one_code(tmp_path: Path) -> None:
    features, _ = fitted(tmp_path, np.full((10, 1, 16, 16), 200, np.uint8))
    assert np.isfinite(features).all()
    np.testing.assert_allclose(features, features[:1].repeat(10, 0), atol=1e-5)


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    fitted(tmp_path, pixels())
    with pytest.raises(DataError, match=r"does not fit Autoencoder: \d+ tensors differ"):
        adapter("encoders", NAME, **{**TINY, "width": 3}).encode(
            prepared(pixels()), tmp_path / "w", make_run()
        )


class Stopped(BaseException):
    """As if the process ended here."""


@pytest.mark.slow
def test_a_training_that_stopped_goes_on_to_the_very_same_weights(tmp_path: Path, monkeypatch) -> None:
    original = training.Steps
    monkeypatch.setattr(training, "Steps", partial(original, checkpoint_s=0.0))
    fitted(tmp_path / "whole", pixels(), steps=60)
    for name in ("w", "c"):
        (tmp_path / "stopped" / name).mkdir(parents=True)

    def stop(done: int, _total: int | None, _text: str) -> None:
        if done == 40:
            raise Stopped

    encoder = adapter("encoders", NAME, **{**TINY, "steps": 60})
    run = make_run(checkpoints=tmp_path / "stopped" / "c")
    with pytest.raises(Stopped):
        encoder.fit(prepared(pixels()), tmp_path / "stopped" / "w", replace(run, report=stop))
    assert list((tmp_path / "stopped" / "c").iterdir())
    encoder.fit(prepared(pixels()), tmp_path / "stopped" / "w", run)
    weights = [(tmp_path / n / "w" / "autoencoder.safetensors").read_bytes() for n in ("whole", "stopped")]
    assert weights[0] == weights[1]
