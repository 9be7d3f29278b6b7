"""The vision transformers inside a method, as a record describes them and the store keeps them."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.adapters import registry
from bench.errors import DataError
from bench.interfaces import Encoder, Run
from bench.nn.backbone import Backbone
from bench.nn.inputs import tensor, threads
from bench.nn.weights import load_strictly, read_tensors
from bench.records.record import StageRecord
from bench.report.figures.described import described_encoder, without_transformer
from bench.stages.cell import Cell

_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Stand:
    """A transformer at one moment of its training."""

    when: str
    backbone: Backbone


def stands(cell: Cell) -> tuple[list[Stand], list[str]]:
    """Return the transformer before and after the method's own training, and what is to be said of it.

    Of a pair model, before is what its encoder learned, after what the pairs made of it. Without a
    training there is one stand. The start of a training from a file can only be had from a snapshot at 0.

    Raises
    ------
    DataError : weights or artefacts that cannot be had; an encoder of another version.
    """
    encoder = _encoder(cell)
    fits = cell.stages("fit")
    shape = cell.images.shape
    if not cell.stages("pair"):
        if not fits:
            (encode,) = cell.stages("encode")
            return [Stand(f"{encoder.use}", _network(encoder, shape, None, encode)[0])], []
        weights = cell.artefact(fits[-1]) / "weights"
        after = Stand("after training", _with(encoder, shape, fits[-1], weights / "backbone.safetensors"))
        if not fits[-1].facts.get("steps", 1):
            return [Stand("not trained", after.backbone)], []
        start, why = _start(encoder, cell, fits[-1], weights)
        return ([Stand("before training", start), after] if start else [after]), why
    tensors = read_tensors(cell.artefact(fits[-1]) / "weights" / "twin.safetensors", "weights")
    own = {k.removeprefix("backbone."): v for k, v in tensors.items() if k.startswith("backbone.")}
    pair_fit = fits[-1]
    if len(fits) > 1:
        learned = cell.artefact(fits[0]) / "weights" / "backbone.safetensors"
        before, again = (_with(encoder, shape, fits[0], learned) for _ in range(2))
    else:
        before, again = (_network(encoder, shape, None, pair_fit)[0] for _ in range(2))
    load_strictly(again, own, "weights: twin.safetensors")
    return [Stand(f"{encoder.use} encoder", before), Stand("after training on pairs", again)], []


def snapshots(cell: Cell) -> list[Stand]:
    """Return the backbones that a dino training kept on its way, in order; none if it kept none."""
    found = []
    for stage in cell.stages("fit"):
        if stage.adapter.partition("@")[0] != "dino":
            continue
        weights = cell.artefact(stage) / "weights"
        for file in sorted(weights.glob("backbone-*.safetensors")):
            share = int(file.stem.rpartition("-")[2])
            backbone = _with(_encoder(cell), cell.images.shape, stage, file)
            found.append(Stand(f"{share} % of the training", backbone))
    return found


def class_attention(backbone: Backbone, pixels: Any) -> Tensor:
    """Return how much the class token attends to each patch in the last block.

    Parameters
    ----------
    pixels : uint8 or uint16, shape (b, c, h, w).

    Returns
    -------
    float32, shape (b, heads, rows, columns) of patches. What goes to the class token itself and to
    registers is left out, so a head's sum is at most 1.

    Raises
    ------
    DataError : the model has no class token, or no attention of the usual kind.
    """
    model: Any = backbone.model
    attention = getattr(backbone.parts[-1] if backbone.parts else None, "attn", None)
    prefix = int(getattr(model, "num_prefix_tokens", 0))
    if not prefix or not isinstance(getattr(attention, "attn_drop", None), nn.Module):
        raise DataError(f"{type(model).__name__} has no class token whose attention can be drawn")
    assert attention is not None
    seen: list[Tensor] = []
    fused = attention.fused_attn
    hook = attention.attn_drop.register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    attention.fused_attn = False  # the fused kernel never holds the matrix that is to be seen
    try:
        with threads(_THREADS), torch.inference_mode():
            x = backbone.eval().fitted(tensor(pixels, "cpu"))
            backbone(x)
    finally:
        attention.fused_attn = fused
        hook.remove()
    to_patches: Tensor = seen[-1][:, :, 0, prefix:].float()
    rows, columns = (side // p for side, p in zip(x.shape[-2:], model.patch_embed.patch_size, strict=True))
    return to_patches.reshape(*to_patches.shape[:2], rows, columns).clone()


def features(backbone: Backbone, pixels: Any, batch: int = 64) -> Tensor:
    """Return features of uint8 or uint16 images, shape (n, d)."""
    backbone.eval()
    with threads(_THREADS), torch.inference_mode():
        parts = [
            backbone(backbone.fitted(tensor(pixels[i : i + batch], "cpu"))).float()
            for i in range(0, len(pixels), batch)
        ]
    return torch.cat(parts)


def _encoder(cell: Cell) -> Encoder:
    """Build the encoder from what the record says. Weights are in the store, so a file is not needed."""
    reason = without_transformer(cell.record)
    if reason:
        raise DataError(f"{cell.record.method}: {reason}")
    described = described_encoder(cell.record)
    assert described is not None
    name, _, version = described["adapter"].partition("@")
    cls = registry.load("encoder", name)
    if version != str(cls.version):
        raise DataError(
            f"{cell.record.method}: encoder {name} was of version {version}, here it is {cls.version}; "
            f"`bench run {cell.record.suite}` makes the results anew"
        )
    params = dict(described["params"])
    if params.get("weights") == "file":
        if name == "timm":
            raise DataError(
                f"{cell.record.method}: the record does not know where the weights file of timm lies; use "
                "encoder: {use: dino, weights: file, epochs: 0}, which keeps the weights in the store"
            )
        params |= {"weights": "random", "weights_file": None}
    encoder = cls.model_validate(params)
    assert isinstance(encoder, Encoder)
    return encoder


def _network(
    encoder: Encoder, shape: tuple[int, int, int], weights: Path | None, stage: StageRecord
) -> tuple[Backbone, dict[str, Any]]:
    """Return the network with its first weights, those of the seed that a stage had; and its facts."""
    run = Run(stage.seed or 0, 1, "cpu", "float32", logging.getLogger("bench"), Path(), lambda *_: None)
    network: Any = encoder
    made = network.network(shape, weights, run)
    assert isinstance(made, Backbone)
    return made, run.facts


def _with(encoder: Encoder, shape: tuple[int, int, int], stage: StageRecord, file: Path) -> Backbone:
    """Return the network with the weights of a file of the store; it needs no others to start from."""
    if getattr(encoder, "weights", "") == "hub":
        encoder = encoder.model_copy(update={"weights": "random"})
    backbone, _ = _network(encoder, shape, None, stage)
    load_strictly(backbone, read_tensors(file, "weights"), f"weights: {file}")
    return backbone


def _start(
    encoder: Encoder, cell: Cell, fit: StageRecord, weights: Path
) -> tuple[Backbone | None, list[str]]:
    """Return what a training started from, if it can be had, else say why not."""
    first = weights / "backbone-000.safetensors"
    if first.exists():
        return _with(encoder, cell.images.shape, fit, first), []
    try:
        backbone, facts = _network(encoder, cell.images.shape, None, fit)
    except DataError as e:
        return None, [f"Not shown, the start of the training: {e}."]
    if facts.get("start", {}).get("sha256") != fit.facts.get("start", {}).get("sha256"):
        return None, [
            "Not shown, the start of the training: its weights cannot be had; snapshots: [0] keeps them."
        ]
    return backbone, []
