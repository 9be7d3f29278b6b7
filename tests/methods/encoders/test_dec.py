from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared, same_partition
from tests.methods.encoders.trained import whole_and_killed

TINY: dict[str, Any] = {"width": 2, "batch": 8, "steps": 20, "refine_steps": 20, "update": 10, "k": 3}
TINY |= {"embedding": 4, "n_init": 3}


def pixels(n: int = 24, channels: int = 1, side: int = 16) -> np.ndarray:
    """Bars, spots and empty images, in turns."""
    rng = np.random.default_rng(0)
    images = np.full((n, channels, side, side), 220, np.uint8)
    images[0::3, :, 6:10, 2:14] = 20
    images[1::3, :, 3:13, 3:13] = 90
    return np.clip(images + rng.normal(0, 4, images.shape), 0, 255).astype(np.uint8)


def fitted(folder: Path, images: np.ndarray, seed: int = 0, **changes):
    (folder / "w").mkdir(parents=True)
    (folder / "c").mkdir(exist_ok=True)
    run = make_run(seed, checkpoints=folder / "c", precision=changes.pop("precision", "float32"))
    encoder = adapter("encoders", "dec", **{**TINY, **changes})
    encoder.fit(prepared(images), folder / "w", run)
    return encoder.encode(prepared(images), folder / "w", make_run(seed)), run.facts


@pytest.mark.parametrize(
    ("channels", "changes"),
    [
        (1, {"precision": "bfloat16"}),
        (3, {"backbone": "rotation", "loss": "min_over_rotations", "refine_changed": True}),
        (6, {"backbone": "resnet10t", "channels": "native", "image_size": 32, "steps": 2, "refine_steps": 2}),
        (1, {"reconstruction_weight": 0.0, "optimizer": "sgd", "epochs": 0, "steps": None}),
    ],
)
def test_backbones_losses_and_channels_train_and_encode(tmp_path: Path, channels, changes) -> None:
    features, facts = fitted(tmp_path, pixels(channels=channels), **changes)
    assert features.shape == (24, 4)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert set(facts["curve"]) == {"loss", "changed", "clusters_used"}
    assert facts["pretraining"]["steps"] == (0 if "epochs" in changes else changes.get("steps", 20))
    assert 1 <= facts["clusters_used"] <= 3


def test_kinds_of_images_become_clusters_and_assignments_say_the_same(tmp_path: Path) -> None:
    still: dict[str, Any] = {
        "zoom": 0.0,
        "degrees": 0.0,
        "shift": 0.0,
        "flip": False,
        "kl_weight": 1.0,
        "rate": 1e-2,
    }
    more: dict[str, Any] = {"steps": 60, "refine_steps": 200, "tolerance": 1e-5, **still}
    features, facts = fitted(tmp_path, pixels(48), **more)
    truth = np.arange(48) % 3
    assert same_partition(KMeans(3, n_init=5, random_state=0).fit_predict(features), truth)
    assert facts["converged"] is True
    assert facts["clusters_used"] == 3
    q = adapter("encoders", "dec", **{**TINY, **more, "output": "assignments"}).encode(
        prepared(pixels(48)), tmp_path / "w", make_run()
    )
    assert q.shape == (48, 3)
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-5)
    assert same_partition(q.argmax(1), truth)
    assert same_partition(KMeans(3, n_init=5, random_state=0).fit_predict(q), truth)


def test_with_the_invariant_backbone_a_turned_image_has_the_same_code(tmp_path: Path) -> None:
    features, _ = fitted(tmp_path, pixels(), backbone="rotation")
    turned = prepared(np.rot90(pixels(), 1, (2, 3)).copy())
    again = adapter("encoders", "dec", **TINY, backbone="rotation").encode(turned, tmp_path / "w", make_run())
    np.testing.assert_allclose(again, features, atol=1e-5)


def test_the_seed_decides(tmp_path: Path) -> None:
    (a, one), (b, again), (c, _) = (
        fitted(tmp_path / str(i), pixels(), seed=s) for i, s in enumerate((0, 0, 1))
    )
    np.testing.assert_array_equal(a, b)
    one.pop("speed"), again.pop("speed")
    assert one == again
    assert not np.allclose(a, c)


@pytest.mark.filterwarnings("ignore:.*distinct clusters.*")
@pytest.mark.parametrize("kinds", [1, 2])
def test_fewer_kinds_than_clusters_end_well(tmp_path: Path, kinds) -> None:
    images = np.repeat(np.array([40, 200], np.uint8)[:kinds], 12)[:, None, None, None] * np.ones(
        (1, 1, 16, 16), np.uint8
    )
    features, _ = fitted(tmp_path, images)
    assert np.isfinite(features).all()


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong: list[tuple[np.ndarray, dict[str, Any], str]] = [
        (pixels(), {"k": 25}, "k: 25 clusters of only 24 images"),
        (pixels(6), {}, "8 images per batch, but only 6"),
        (pixels(channels=6), {}, "these have 6; use native"),
        (pixels()[:, :, :12], {}, "12 x 16 px are not square"),
        (pixels(), {"backbone": "no_such_net"}, "has no 'no_such_net'"),
        (pixels(), {"rate": 1e30}, "loss is (nan|inf) at step|codes are not finite"),
    ]
    for i, (images, changes, said) in enumerate(wrong):
        with pytest.raises(DataError, match=said):
            fitted(tmp_path / str(i), images, **changes)


@pytest.mark.parametrize("phase", ["pretraining", "refinement"])
def test_when_killed_it_goes_on_to_the_very_same_weights(tmp_path: Path, phase: str) -> None:
    settings = {**TINY, "steps": 40, "refine_steps": 100, "tolerance": 0.0}
    whole, killed = whole_and_killed(tmp_path, "dec", settings, "dec.safetensors", phase)
    assert whole == killed


def test_its_network_is_the_refined_one(tmp_path: Path) -> None:
    import torch

    from bench.nn.inputs import tensor

    images = pixels()
    features, _ = fitted(tmp_path, images)
    network = adapter("encoders", "dec", **TINY).network((1, 16, 16), tmp_path / "w", make_run()).eval()
    with torch.inference_mode():
        found = network.encode(tensor(images, "cpu")).numpy()
    np.testing.assert_allclose(found, features, atol=1e-5)
