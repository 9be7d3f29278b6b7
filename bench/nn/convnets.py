"""Convolutional networks trained from scratch on the images themselves: a small one, VGG16, any of timm."""

from __future__ import annotations

import itertools

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.errors import DataError
from bench.nn.backbone import Architecture, Backbone
from bench.nn.backbone import build as build_of_timm
from bench.nn.training import seeded

_GROWTH = (1, 2, 4, 8, 8)
_HIDDEN = 4096


class ConvNet(nn.Module):
    """Five 3x3 convolutions, each with batch normalisation and ReLU, all but the last with 2x2 max pooling.

    Images (b, channels, h, w) -> features (b, 8 * width), the mean over what is left of the image. The
    layers have `width` times 1, 2, 4, 8, 8 filters: with 64, the 64-128-256-512 of COAPNET and a fifth
    layer, whose size the sources leave open. Has the methods of a model of timm, so that `Backbone` takes it.
    """

    num_prefix_tokens = 0

    def __init__(self, width: int, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = [channels, *(width * g for g in _GROWTH)]
        for i, (a, b) in enumerate(itertools.pairwise(sizes)):
            layers = [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
            if i < len(_GROWTH) - 1:
                layers.append(nn.MaxPool2d(2))
            self.add_module(f"layer{i + 1}", nn.Sequential(*layers))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.num_features = sizes[-1]
        self.pretrained_cfg: dict[str, str] = {}
        self._dropout = dropout

    def forward_features(self, x: Tensor) -> Tensor:
        """Return maps of shape (b, 8 * width, h // 16, w // 16)."""
        for layer in self.children():
            x = layer(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the means of the maps; no classifier follows."""
        return F.dropout(x.mean(dim=(2, 3)), self._dropout, self.training)

    def forward(self, x: Tensor) -> Tensor:
        """Return features."""
        return self.forward_head(self.forward_features(x))


def build(
    a: Architecture, shape: tuple[int, int, int], seed: int, *, width: int | None = None, dropout: float = 0.0
) -> tuple[Backbone, int]:
    """Create a network with random weights for images of some shape (c, h, w).

    Parameters
    ----------
    a : `a.model` is "conv5", "vgg16" (timm's vgg16_bn, but the first hidden layer sees the grid of pooled
        maps as it is, 2 x 2 for 64 px, where timm would stretch it to 7 x 7), or any name of timm.
    width : filters of the first layer of conv5, by default 64.
    dropout : share of the last hidden features (of vgg16: of both hidden layers) dropped in training.

    Returns
    -------
    The network and its number of features.

    Raises
    ------
    DataError : an unknown model, images whose channels or size it cannot take, a width for another model.
    """
    if width is not None and a.model != "conv5":
        raise DataError(f"width: it is the knob of arch conv5, but arch is {a.model}; leave it out")
    side = a.size or shape[1]
    least = {"conv5": 16, "vgg16": 32}.get(a.model, 1)
    if side < least:
        raise DataError(
            f"image_size: {a.model} needs at least {least} px, not {side}; give a larger image_size"
        )
    if a.model == "conv5":
        backbone = _conv5(a, shape, seed, width or 64, dropout)
    elif a.model == "vgg16":
        backbone = _vgg16(a, shape, seed, dropout)
    else:
        backbone = build_of_timm(a, shape, seed, **({"drop_rate": dropout} if dropout else {}))
    return backbone, _features(backbone, a.model, shape[0])


def _conv5(a: Architecture, shape: tuple[int, int, int], seed: int, width: int, dropout: float) -> Backbone:
    if a.channels == "rgb" and shape[0] not in (1, 3):
        raise DataError(f"channels: rgb needs images of 1 or 3 channels, these have {shape[0]}; use native")
    with seeded(seed):
        model = ConvNet(width, 3 if a.channels == "rgb" else shape[0], dropout)
    return Backbone(model, a, shape[0], a.size or shape[1])


def _vgg16(a: Architecture, shape: tuple[int, int, int], seed: int, dropout: float) -> Backbone:
    timm_own = Architecture("vgg16_bn", a.channels, a.normalise, a.pool, a.size)
    backbone = build_of_timm(timm_own, shape, seed, drop_rate=dropout)
    with seeded(seed):
        first = nn.Conv2d(512, _HIDDEN, backbone.size // 32)
        second = nn.Conv2d(_HIDDEN, _HIDDEN, 1)
        for layer in (first, second):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    hidden = nn.Sequential(first, nn.ReLU(inplace=True), nn.Dropout(dropout), second, nn.ReLU(inplace=True))
    backbone.model.pre_logits = hidden
    return backbone


def _features(backbone: Backbone, name: str, channels: int) -> int:
    """Return how many features come out; timm names that number differently from model to model."""
    training = backbone.training
    example = torch.zeros(1, channels, backbone.size, backbone.size, device=backbone.mean.device)
    try:
        with torch.no_grad():
            width = int(backbone.eval()(example).shape[1])
    except (RuntimeError, AssertionError) as error:
        message = f"{name} of timm {timm.__version__} does not take {backbone.size} px: {str(error)[:200]}"
        raise DataError(f"image_size: {message}") from error
    backbone.train(training)
    return width
