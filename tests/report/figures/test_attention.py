"""Attention against an independent computation, and the states of a training it is drawn for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import DataError
from bench.images import Prepared
from bench.interfaces import Run
from bench.nn.attention import class_attention
from bench.nn.backbone import Architecture, build
from bench.nn.inputs import tensor
from bench.report.drawing.checkpoints import Checkpoint, before_and_after, examples, snapshots
from bench.report.drawing.style import DrawOptions, applied
from bench.report.figures.attention import overlaid
from bench.stages.finished import FinishedCell
from tests.report.figures.runs import figure_of as kind

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 1, 32, 48), np.uint8)


def prepared(pixels: np.ndarray) -> Prepared:
    return Prepared(pixels, np.arange(len(pixels)), [str(i) for i in range(len(pixels))])


def by_hand(backbone: Any, pixels: Any) -> np.ndarray:
    """softmax(q k^T / sqrt(d)) of the last block from the weights themselves."""
    model = backbone.model
    block = model.blocks[-1]
    seen: list[torch.Tensor] = []
    hook = block.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    with torch.inference_mode():
        backbone(tensor(pixels, "cpu"))
        hook.remove()
        x = block.norm1(seen[0])
        b, n, d = x.shape
        heads = block.attn.num_heads
        qkv = (x @ block.attn.qkv.weight.T + block.attn.qkv.bias).reshape(b, n, 3, heads, d // heads)
        q, k = qkv[:, :, 0], qkv[:, :, 1]
        if hasattr(block.attn, "q_norm"):
            q, k = block.attn.q_norm(q), block.attn.k_norm(k)
        scores = torch.einsum("bnhd,bmhd->bhnm", q, k) / (d // heads) ** 0.5
        return np.asarray(scores.softmax(-1)[:, :, 0])


@pytest.mark.parametrize(
    ("arch", "registers"), [("vit_tiny_patch16_224", 0), ("vit_small_patch14_reg4_dinov2", 4)]
)
def test_attention_is_that_of_the_last_block(arch: str, registers: int) -> None:
    options = (("embed_dim", 24), ("depth", 3), ("num_heads", 3), ("patch_size", 8))
    backbone = build(Architecture(arch, pool="token", options=options), (1, 32, 32), 1, dynamic_img_size=True)
    backbone.eval()
    square = PIXELS[..., :32]
    fused = backbone.model.blocks[-1].attn.fused_attn  # type: ignore[union-attr,index]  # of any ViT
    found = class_attention(backbone, prepared(square), Run.detached())
    wanted = by_hand(backbone, square)
    assert found.shape == (3, 3, 4, 4)
    np.testing.assert_allclose(found.reshape(3, 3, -1), wanted[:, :, 1 + registers :], atol=1e-6)
    assert backbone.model.blocks[-1].attn.fused_attn == fused  # type: ignore[union-attr,index]
    assert not backbone.model.blocks[-1].attn.attn_drop._forward_hooks  # type: ignore[union-attr,index]


def test_a_model_without_class_token_is_refused() -> None:
    backbone = build(Architecture("resnet10t"), (1, 32, 32), 1)
    with pytest.raises(DataError, match="no class token"):
        class_attention(backbone, prepared(PIXELS[..., :32]), Run.detached())


def test_before_and_after_are_the_weights_of_the_run(by_method: dict[str, FinishedCell]) -> None:
    some = examples(by_method["dino"].images, np.arange(5))

    def maps(found: list[Checkpoint]) -> dict[str, np.ndarray]:
        return {c.when: c.attention(some) for c in found}

    dino, notes = before_and_after(by_method["dino"])
    of = maps(dino)
    assert list(of) == ["before training", "after training"]
    assert not notes
    kept = maps(snapshots(by_method["dino"]))
    assert list(kept) == ["0 % of the training", "50 % of the training"]
    np.testing.assert_array_equal(kept["0 % of the training"], of["before training"])
    assert not np.allclose(of["before training"], of["after training"], atol=1e-5)
    twin = maps(before_and_after(by_method["twin"])[0])
    np.testing.assert_array_equal(twin["dino encoder"], of["after training"])  # its encoder is the same fit
    assert not np.array_equal(twin["dino encoder"], twin["after training on pairs"])
    assert list(maps(before_and_after(by_method["untrained"])[0])) == ["not trained"]


def test_the_features_of_the_network_found_are_those_of_the_run(by_method: dict[str, FinishedCell]) -> None:
    for method in ("dino", "untrained"):
        cell = by_method[method]
        after = before_and_after(cell)[0][-1]
        found = after.features(cell.images)
        assert cell.features is not None
        np.testing.assert_allclose(found, cell.features, atol=1e-4)


@pytest.mark.slow
def test_another_method_stands_in_for_before(by_method: dict[str, FinishedCell]) -> None:
    with applied():
        figure = kind("attention").draw(by_method["dino"], DrawOptions(against=by_method["untrained"])).figure
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert [t for t in titles if "head 1" in t] == ["untrained\nhead 1", "dino\nhead 1"]
    assert "against untrained" in figure.get_supxlabel()


def test_a_map_is_bright_where_attention_is() -> None:
    attention = np.zeros((4, 4), np.float32)
    attention[3, 0] = 1
    shown = overlaid(np.full((16, 16, 3), 128, np.uint8), attention)
    assert shown.min() >= 0
    assert shown.max() <= 1
    brightness = shown.sum(axis=2)
    assert np.unravel_index(brightness.argmax(), brightness.shape)[0] >= 12
    assert brightness[13:, :3].min() > brightness[:8].max()
