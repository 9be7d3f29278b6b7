from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import DataError
from bench.nn.autoencoders import published_count
from tests.methods import adapter, make_run, prepared
from tests.methods.encoders.trained import whole_and_killed

TINY: dict[str, Any] = {"width": 2, "batch": 8, "steps": 12}


def pixels(n: int = 24, channels: int = 1, side: int = 16, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top + 1, (n, channels, side, side)).astype(dtype)


def fitted(folder: Path, images: np.ndarray, seed: int = 0, name: str = "rotation_autoencoder", **changes):
    (folder / "w").mkdir(parents=True)
    (folder / "c").mkdir(exist_ok=True)
    run = make_run(seed, checkpoints=folder / "c", precision=changes.pop("precision", "float32"))
    encoder = adapter("encoders", name, **{**TINY, **changes})
    encoder.fit(prepared(images), folder / "w", run)
    return encoder.encode(prepared(images), folder / "w", make_run(seed)), run.facts


def test_the_defaults_are_the_published_settings() -> None:
    encoder = adapter("encoders", "rotation_autoencoder")
    with torch.device("meta"):
        network = encoder.built((1, 64, 64), make_run())
    assert published_count(network) == 45_801_795
    assert (encoder.loss, encoder.channels, encoder.normalise) == ("mse", "rgb", "range")
    assert (encoder.zoom, encoder.degrees, encoder.shift, encoder.flip) == (0.2, 90, 0.1, True)
    change = encoder.changes()
    assert change.area == (pytest.approx(1 / 1.44), 1.0)
    assert (change.degrees, change.shift, change.flip) == (90, 0.1, True)


@pytest.mark.parametrize("loss", ["mse", "min_over_rotations"])
@pytest.mark.parametrize("pool", ["max", "mean"])
def test_a_turned_image_has_the_same_code(tmp_path: Path, loss, pool) -> None:
    images = pixels()
    features, facts = fitted(tmp_path, images, loss=loss, pool=pool)
    assert features.shape == (24, 16)
    assert facts["steps"] == 12
    assert features.std(0).max() > 1e-3
    encoder = adapter("encoders", "rotation_autoencoder", **TINY, loss=loss, pool=pool)
    for r in (1, 2, 3):
        turned = prepared(np.rot90(images, r, (2, 3)).copy())
        np.testing.assert_allclose(encoder.encode(turned, tmp_path / "w", make_run()), features, atol=1e-5)


@pytest.mark.parametrize("encoder", ["rotation_autoencoder", "autoencoder"])
def test_a_killed_training_goes_on_to_the_very_same_weights(tmp_path: Path, encoder: str) -> None:
    settings = {**TINY, "steps": 100}
    whole, killed = whole_and_killed(tmp_path, encoder, settings, "autoencoder.safetensors")
    assert whole == killed


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong: list[tuple[np.ndarray, dict[str, Any], str]] = [
        (pixels(6), {}, "8 images per batch, but only 6"),
        (pixels(channels=6), {}, "these have 6; use native"),
        (pixels(side=20), {}, "20 px does not halve four times"),
        (pixels()[:, :, :, :12], {}, "16 x 12 px are not square"),
        (pixels(), {"rate": 1e30}, "loss is (nan|inf) at step"),
    ]
    for i, (images, changes, said) in enumerate(wrong):
        with pytest.raises(DataError, match=said):
            fitted(tmp_path / str(i), images, **changes)
