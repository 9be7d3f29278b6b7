from __future__ import annotations

import os
import pickle
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from timm.layers.pos_embed import resample_abs_pos_embed

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared
from tests.methods.killed import kill

TINY: dict[str, Any] = {
    "arch": "vit_tiny_patch16_224",
    "width": 24,
    "depth": 2,
    "heads": 2,
    "patch": 4,
    "outputs": 32,
}
TINY |= {"hidden": 32, "bottleneck": 16, "batch": 8, "small_crops": 2, "steps": 12, "epochs": 1}


def pixels(n: int = 24, channels: int = 1, side: int = 16, dtype: type = np.uint8) -> np.ndarray:
    top = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, top + 1, (n, channels, side, side)).astype(dtype)


def fitted(folder: Path, images: np.ndarray, seed: int = 0, **changes):
    (folder / "w").mkdir(parents=True)
    (folder / "c").mkdir(exist_ok=True)
    run = make_run(seed, checkpoints=folder / "c", precision=changes.pop("precision", "float32"))
    encoder = adapter("encoders", "dino", **{**TINY, **changes})
    encoder.fit(prepared(images), folder / "w", run)
    return encoder.encode(prepared(images), folder / "w", make_run(seed)), run.facts


@pytest.mark.parametrize(
    ("channels", "dtype", "changes"),
    [
        (1, np.uint8, {}),
        (3, np.uint16, {}),
        (6, np.uint8, {"channels": "native", "normalise": "none", "small_crops": 0}),
        (1, np.uint8, {"precision": "bfloat16", "accumulate": 2}),
    ],
)
def test_grey_colour_and_many_channels_train_and_encode(tmp_path: Path, channels, dtype, changes) -> None:
    features, facts = fitted(tmp_path, pixels(channels=channels, dtype=dtype), **changes)
    assert features.shape == (24, 24)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert facts["steps"] == 12
    assert facts["curve"]["loss"][-1][0] == 12
    assert set(facts["curve"]) == {"loss", "teacher_entropy", "mean_entropy", "spread"}
    assert "collapsed" in facts


def test_the_seed_decides(tmp_path: Path) -> None:
    (a, one), (b, again), (c, _) = (
        fitted(tmp_path / str(i), pixels(), seed=s) for i, s in enumerate((0, 0, 1))
    )
    np.testing.assert_array_equal(a, b)
    one.pop("speed"), again.pop("speed")
    assert one == again
    assert not np.allclose(a, c)


def test_no_epochs_mean_the_weights_as_they_come(tmp_path: Path) -> None:
    features, facts = fitted(tmp_path / "none", pixels(), epochs=0, steps=None)
    trained, _ = fitted(tmp_path / "some", pixels())
    assert facts["steps"] == 0
    assert not np.allclose(features, trained)
    whole = adapter("encoders", "timm", model="test_vit", weights="random", pool="token")
    assert whole.encode(prepared(pixels()), None, make_run()).shape[0] == 24


def test_training_starts_from_a_weights_file_of_the_same_architecture_only(tmp_path: Path) -> None:
    first = adapter("encoders", "dino", **TINY).network((1, 16, 16), None, make_run(5))
    torch.save(first.model.state_dict(), tmp_path / "w.pt")
    start: dict[str, Any] = {"weights": "file", "weights_file": tmp_path / "w.pt", "epochs": 0, "steps": None}
    features, _ = fitted(tmp_path / "a", pixels(), seed=9, **start)
    again, _ = fitted(tmp_path / "b", pixels(), seed=5, epochs=0, steps=None)
    np.testing.assert_allclose(features, again, atol=1e-5)
    with pytest.raises(DataError, match=r"weights_file: .* does not fit .* tensors differ"):
        fitted(tmp_path / "c", pixels(), **start, width=32)


class Hostile:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04torn", pickle.dumps(Hostile())])
def test_torn_and_hostile_weights_end_with_a_sentence(tmp_path: Path, content: bytes, capfd) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read .* as tensors only"):
        fitted(tmp_path / "a", pixels(), weights="file", weights_file=tmp_path / "w.pt")
    assert "never" not in capfd.readouterr().out


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"batch": 32}, "32 images per batch, but only 24"),
        (
            {"arch": "resnet18", "width": None, "depth": None, "heads": None, "patch": None},
            "model: resnet18 does not",
        ),
        ({"arch": "no_such_vit"}, "has no 'no_such_vit'"),
        ({"patch": 5}, "16 px does not divide into 5 px patches"),
        ({"small_size": 10}, "small_size: 10 px does not divide into 4 px"),
        ({"rate": 1e30, "clip": None}, "loss is (nan|inf) at step"),
        ({"width": 25}, "model: vit_tiny_patch16_224 does not take|divisible"),
    ]
    for i, (changes, said) in enumerate(wrong):
        with pytest.raises(DataError, match=said):
            fitted(tmp_path / str(i), pixels(), **changes)
    with pytest.raises(DataError, match="channels: rgb needs images of 1 or 3 channels, these have 6"):
        fitted(tmp_path / "x", pixels(channels=6))
    for bad in ({"batch": 9, "accumulate": 2}, {"weights": "file"}, {"large_area": (0.5, 0.4)}):
        with pytest.raises(ValidationError):
            adapter("encoders", "dino", **bad)


SETTINGS: dict[str, Any] = {"steps": 200, "snapshots": [0, 0.02, 0.5, 1]}
SCRIPT = """
import sys
from pathlib import Path
from tests.methods.encoders.test_dino import SETTINGS, fitted, pixels
fitted(Path(sys.argv[1]), pixels(), **SETTINGS)
"""


def test_a_killed_training_goes_on_to_the_very_same_weights(tmp_path: Path) -> None:
    kill(SCRIPT, str(tmp_path / "killed"), checkpoints=tmp_path / "killed" / "c")
    assert not (tmp_path / "killed" / "w" / "backbone.safetensors").exists()
    shutil.rmtree(tmp_path / "killed" / "w")  # a stage that starts again has an empty folder
    for name in ("killed", "whole"):
        fitted(tmp_path / name, pixels(), **SETTINGS)
    whole, killed = (
        {p.name: p.read_bytes() for p in (tmp_path / n / "w").iterdir()} for n in ("whole", "killed")
    )
    assert killed == whole
    snapshots = [whole.pop(f"backbone-{percent:03d}.safetensors") for percent in (0, 2, 50, 100)]
    assert list(whole) == ["backbone.safetensors"]
    assert len(set(snapshots)) == 4
    assert snapshots[-1] == whole["backbone.safetensors"]


def test_snapshots_change_nothing_of_the_training(tmp_path: Path) -> None:
    without, _ = fitted(tmp_path / "a", pixels())
    kept, _ = fitted(tmp_path / "b", pixels(), snapshots=[0.5, 0, 0.5])
    np.testing.assert_array_equal(without, kept)
    names = sorted(p.name for p in (tmp_path / "b" / "w").iterdir())
    assert names == ["backbone-000.safetensors", "backbone-050.safetensors", "backbone.safetensors"]
    start, _ = fitted(tmp_path / "c", pixels(), epochs=0, steps=None)
    encoder = adapter("encoders", "dino", **TINY)
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "backbone.safetensors").write_bytes(
        (tmp_path / "b" / "w" / "backbone-000.safetensors").read_bytes()
    )
    np.testing.assert_array_equal(encoder.encode(prepared(pixels()), tmp_path / "first", make_run(0)), start)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"snapshots": [0.123]}, "0.123 is not a whole percent"),
        ({"snapshots": [1.2]}, "less than or equal to 1"),
        ({"snapshots": [0], "steps": None, "epochs": 0}, "trains nothing"),
    ],
)
def test_wrong_snapshots_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        adapter("encoders", "dino", **{**TINY, **changes})


def test_a_trained_backbone_is_a_weights_file(tmp_path: Path) -> None:
    """What one fit wrote can start another, or be used as it is."""
    features, _ = fitted(tmp_path, pixels())
    kept: dict[str, Any] = {
        "weights": "file",
        "weights_file": tmp_path / "w" / "backbone.safetensors",
        "epochs": 0,
    }
    again, _ = fitted(tmp_path / "again", pixels(), steps=None, **kept)
    np.testing.assert_array_equal(again, features)


def test_a_checkpoint_of_the_public_code_starts_a_training_at_any_image_size(tmp_path: Path) -> None:
    """It holds student and teacher, each with a head beside the backbone, and the settings."""
    first = adapter("encoders", "dino", **TINY).network((1, 32, 32), None, make_run(5))
    own = first.model.state_dict()
    head = {
        "module.head.mlp.0.weight": torch.zeros(3, 24),
        "module.head.last_layer.weight_v": torch.zeros(4, 3),
    }
    both = {f"module.backbone.{k}": t for k, t in own.items()} | head
    torch.save({"student": both, "teacher": both, "epoch": 1, "args": Namespace(lr=0.1)}, tmp_path / "w.pth")
    start: dict[str, Any] = {"weights": "file", "weights_file": tmp_path / "w.pth"}
    encoder = adapter("encoders", "dino", **TINY, **start)
    same = encoder.network((1, 32, 32), None, make_run(9)).model.state_dict()
    assert all(torch.equal(same[k], own[k]) for k in own)
    small = encoder.network((1, 16, 16), None, make_run(9)).model.state_dict()
    different = {k for k in own if not torch.equal(small[k].flatten(), own[k].flatten())}
    assert different == {"pos_embed"}
    wanted = resample_abs_pos_embed(own["pos_embed"], [4, 4], num_prefix_tokens=1)
    torch.testing.assert_close(small["pos_embed"], wanted)
