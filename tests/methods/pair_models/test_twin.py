from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from bench.errors import DataError
from bench.images import Prepared
from bench.nn.pairs import pair_features
from bench.nn.twin import BalancedPairs
from bench.nn.weights import read_tensors, write_tensors
from tests.methods import adapter, make_run

SMALL: dict[str, Any] = {"arch": "test_resnet", "embedding": 16, "batch": 16, "steps": 30, "rate": 0.002}
DINO: dict[str, Any] = {"arch": "vit_tiny_patch16_224", "width": 24, "depth": 4, "heads": 2, "patch": 4}


def images(per_class: int = 10, classes: int = 3, channels: int = 1, side: int = 16) -> Prepared:
    """Stripes in one of several directions, at a random phase."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), per_class)
    y, x = np.mgrid[:side, :side]
    angles = labels * np.pi / classes
    phases = rng.uniform(0, 6, labels.size)
    waves = [np.sin(np.cos(a) * x + np.sin(a) * y + p) for a, p in zip(angles, phases, strict=True)]
    pixels = np.clip(128 + 80 * np.stack(waves) + rng.normal(0, 10, (labels.size, side, side)), 0, 255)
    pixels = np.repeat(pixels[:, None], channels, 1).astype(np.uint8)
    ids = [f"i{i}" for i in range(labels.size)]
    return Prepared(pixels, np.arange(labels.size), ids, [f"c{c}" for c in range(classes)], labels)


def fitted(folder: Path, data: Prepared, seed: int = 0, encoder: Any = None, **changes: Any):
    (folder / "w").mkdir(parents=True)
    (folder / "c").mkdir()
    run = make_run(seed, checkpoints=folder / "c")
    model = adapter("pair_models", "twin", **{**SMALL, **changes}, encoder=encoder)
    model.fit(data, folder / "w", run)
    scoring = make_run(seed)
    return model.join_probabilities(data, folder / "w", scoring), run.facts, scoring.facts


def f1_of_joins(p: np.ndarray, labels: np.ndarray) -> float:
    a, b = np.triu_indices(labels.size, 1)
    same, joined = labels[a] == labels[b], p[a, b] >= 0.5
    return float(2 * (same & joined).sum() / (same.sum() + joined.sum()))


@pytest.mark.slow
@pytest.mark.parametrize("fusion", ["concat", "simplified", "optimal"])
def test_it_learns_which_images_belong_together(tmp_path: Path, fusion: str) -> None:
    data = images()
    p, facts, scored = fitted(tmp_path, data, fusion=fusion, steps=150)
    assert p.shape == (30, 30)
    assert p.dtype == np.float32
    np.testing.assert_array_equal(p, p.T)
    assert (np.diag(p) == 1).all()
    assert data.labels is not None
    assert f1_of_joins(p, data.labels) > 0.7
    assert facts["curve"]["loss"][-1][0] == 150
    assert sum(scored["reliability"]["pairs"]) == 30 * 29 / 2


@pytest.mark.slow
def test_published_sizes(tmp_path: Path) -> None:
    tni = adapter("pair_models", "twin")._network((3, 32, 32), None, make_run())
    assert sum(p.numel() for p in tni.parameters()) == 11_275_201
    vit = {"use": "dino", "arch": "vit_small_patch16_224"}
    encoder = adapter("encoders", "dino", arch=vit["arch"])
    for fusion, inputs in (("optimal", 1538), ("simplified", 1153)):
        twin = adapter("pair_models", "twin", encoder=encoder, embedding=None, fusion=fusion)
        network = twin._network((3, 32, 32), None, make_run())
        assert network.first.in_features == inputs
        assert network.first.out_features == 384
        blocks = network.backbone.model.blocks
        assert [any(p.requires_grad for p in b.parameters()) for b in blocks] == [False] * 9 + [True] * 3
        assert not network.backbone.model.patch_embed.proj.weight.requires_grad
        assert not network.backbone.model.pos_embed.requires_grad
        assert network.backbone.model.norm.weight.requires_grad


def test_all_pairs_are_those_of_the_head_pair_by_pair_and_cost_one_pass_per_image(tmp_path: Path) -> None:
    data = images(per_class=4)
    model = adapter("pair_models", "twin", **SMALL, fusion="optimal")
    network = model._network(data.shape, None, make_run())
    seen = 0

    def count(_module: Any, inputs: Any, _output: Any) -> None:
        nonlocal seen
        seen += len(inputs[0])

    network.backbone.model.conv1.register_forward_hook(count)
    p = model._probabilities(network, data, make_run())
    assert seen == len(data)
    with torch.no_grad():
        x = network.features(torch.from_numpy(data.pixels).float() / 255)
        for i, j in ((0, 1), (3, 9), (11, 2)):
            both = [pair_features(x[a][None], x[b][None], "optimal") for a, b in ((i, j), (j, i))]
            odds = network.second(torch.relu(network.first(torch.cat(both))))
            assert p[i, j] == pytest.approx(float(torch.sigmoid(odds).mean()), abs=1e-5)


def test_the_frozen_part_of_an_encoder_stays_as_it_was_trained(tmp_path: Path) -> None:
    data = images()
    encoder = adapter("encoders", "dino", **DINO)
    start = encoder.network(data.shape, None, make_run(4))

    (tmp_path / "dino").mkdir()
    write_tensors(tmp_path / "dino" / "backbone.safetensors", start)
    (tmp_path / "w").mkdir()
    (tmp_path / "c").mkdir()
    import dataclasses

    run = dataclasses.replace(make_run(checkpoints=tmp_path / "c"), encoder_weights=tmp_path / "dino")
    twin = adapter("pair_models", "twin", **{**SMALL, "embedding": None, "frozen": 0.5}, encoder=encoder)
    twin.fit(data, tmp_path / "w", run)
    after = read_tensors(tmp_path / "w" / "twin.safetensors", "weights")
    before = start.state_dict()
    same = {k: torch.equal(v, after[f"backbone.{k}"]) for k, v in before.items()}
    assert same["model.pos_embed"]
    assert same["model.patch_embed.proj.weight"]
    assert [same[f"model.blocks.{i}.mlp.fc1.weight"] for i in range(4)] == [True, True, False, False]
    assert run.facts["frozen_blocks"] == 2


def test_pairs_are_balanced_and_never_of_an_image_with_itself() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, 2, -1])
    pairs, same = BalancedPairs(labels, ["a", "b", "c"]).draw(3000, np.random.default_rng(0))
    assert same.sum() == 1500
    assert (pairs[:, 0] != pairs[:, 1]).all()
    np.testing.assert_array_equal(labels[pairs[:, 0]] == labels[pairs[:, 1]], same)
    assert 7 not in pairs
    per_class = np.bincount(labels[pairs[same][:, 0]])
    assert per_class.min() > 400  # classes count the same, whatever their size


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([0, 0, 1], "class 'b' has 1 image to train on"),
        ([1, 1, 1], "at least 2 classes"),
        ([-1, -1], "there are 0"),
    ],
)
def test_too_few_images_of_a_class_end_with_a_sentence(labels: list[int], said: str) -> None:
    with pytest.raises(DataError, match=said):
        BalancedPairs(np.array(labels), ["a", "b"])


@pytest.mark.slow
def test_calibration_is_fitted_on_images_that_were_held_out(tmp_path: Path) -> None:
    data = images(per_class=12)
    p, facts, _ = fitted(tmp_path / "a", data, calibrate="platt", held_out=0.34, fusion="optimal")
    plain, _, _ = fitted(tmp_path / "b", data, held_out=0.34, fusion="optimal")
    curves = facts["held_out_reliability"]
    assert sum(curves["before"]["pairs"]) == 12 * 11 / 2
    slope, offset = facts["calibration"]["slope"], facts["calibration"]["offset"]
    odds = np.log(np.clip(plain, 1e-6, 1 - 1e-6) / (1 - np.clip(plain, 1e-6, 1 - 1e-6)))
    wanted = 1 / (1 + np.exp(-(slope * odds + offset)))
    off = ~np.eye(36, dtype=bool)
    np.testing.assert_allclose(p[off], wanted[off], atol=1e-4)


def test_too_few_images_to_calibrate_with_are_refused_before_the_training(tmp_path: Path) -> None:
    for i, share in enumerate((0.04, 0.1)):  # none, then one of each class
        with pytest.raises(DataError, match=r"calibrate: the [03] images held out make no pairs"):
            fitted(tmp_path / str(i), images(), calibrate="platt", held_out=share)


@pytest.mark.slow
def test_the_seed_decides(tmp_path: Path) -> None:
    a, b, c = (fitted(tmp_path / str(i), images(), seed=s, augment=0.2)[0] for i, s in enumerate((0, 0, 1)))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    for bad in ({"calibrate": "platt"}, {"batch": 15}, {"batch": 16, "accumulate": 16}):
        with pytest.raises(ValidationError):
            adapter("pair_models", "twin", **bad)
    with pytest.raises(DataError, match=r"encoder: .* has no network"):
        fitted(tmp_path, images(), encoder=adapter("encoders", "pixels"))


@pytest.mark.parametrize(("model", "first"), [("test_resnet", "layer1"), ("test_convnext", "stages.0")])
def test_what_is_frozen_of_a_convolutional_network_keeps_its_statistics_too(
    tmp_path: Path, model: str, first: str
) -> None:
    data = images(side=32)
    encoder = adapter("encoders", "timm", model=model, weights="random")
    start = encoder.network(data.shape, None, make_run(0)).state_dict()
    changed = {}
    for share in (0.5, 1.0):
        fitted(tmp_path / str(share), data, encoder=encoder, frozen=share, embedding=None, steps=2)
        after = read_tensors(tmp_path / str(share) / "w" / "twin.safetensors", "weights")
        changed[share] = {k for k, v in start.items() if not torch.equal(v, after[f"backbone.{k}"])}
    assert not changed[1.0]
    assert any(name.startswith(f"model.{first[:-1]}{int(first[-1]) + 3}") for name in changed[0.5])
    assert not any(name.startswith((f"model.{first}", "model.conv1", "model.stem")) for name in changed[0.5])


def test_a_network_whose_blocks_are_not_known_can_only_be_frozen_as_a_whole(tmp_path: Path) -> None:
    encoder = adapter("encoders", "timm", model="inception_v3", weights="random")
    model = adapter("pair_models", "twin", **{**SMALL, "frozen": 0.5}, encoder=encoder)
    with pytest.raises(DataError, match=r"frozen: InceptionV3 has no blocks in a row"):
        model._network((1, 96, 96), None, make_run())
