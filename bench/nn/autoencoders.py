"""Convolutional autoencoders, one of them invariant to rotations by 90 degrees, and their training.

Architecture of table 1 of the plankton paper of the AILARON project; its number of parameters proves what
the table leaves open (see `Decoder`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.errors import DataError
from bench.nn.augment import Geometry, geometry
from bench.nn.group_conv import FieldNorm, GroupConv, GroupPool
from bench.nn.inputs import resized, take, tensor
from bench.nn.training import Draw, Epochs, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.images import Prepared

Loss = Literal["mse", "min_over_rotations"]
Upsampling = Literal["stride", "nearest"]

_STAGES = (1, 2, 4, 8, 8)
"""Fields of the five convolutions of an encoder, in units of the first one's."""
_SHRINK = 16
"""Four of them are followed by pooling 2 x 2."""


class Autoencoder(nn.Module):
    """An encoder and a decoder for inputs that are centred and scaled first: all that is saved."""

    offset: Tensor
    scale: Tensor

    def __init__(self, encoder: nn.Module, decoder: nn.Module, offset: Tensor, scale: float) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.register_buffer("offset", offset)
        self.register_buffer("scale", torch.tensor(scale))

    def prepared(self, x: Tensor) -> Tensor:
        """Return inputs as the encoder takes them and the decoder shall give them back.

        Grey images become colour images where `offset` has three channels.
        """
        return (x - self.offset) / self.scale

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes of inputs that are not prepared, in the type of the encoder's weights."""
        codes: Tensor = self.encoder(self.prepared(x).to(next(self.encoder.parameters()).dtype))
        return codes


class Images:
    """The images of a training as float32 tensors in [0, 1]: some of them, changed at random, or all."""

    def __init__(self, images: Prepared, side: int, change: Geometry | None) -> None:
        self._images, self._side, self._change = images, side, change

    def __len__(self) -> int:
        return len(self._images)

    def some(self, rows: NDArray[np.int64], device: torch.device, generator: torch.Generator) -> Tensor:
        """Return images by position, changed, shape (b, c, side, side)."""
        x = resized(tensor(take(self._images, rows), device), self._side)
        return x if self._change is None else geometry(x, self._change, generator)

    def all(self, device: torch.device) -> Iterator[Tensor]:
        """Yield all images in order, unchanged, batch by batch."""
        for pixels in self._images.batches(128):
            yield resized(tensor(pixels, device), self._side)


class Reconstruction(Task):
    """The training of an autoencoder to give back what it is shown."""

    def __init__(
        self, images: Images, network: Autoencoder, epochs: Epochs, *, loss: Loss, rate: float
    ) -> None:
        super().__init__()
        self._images, self._epochs, self._loss, self._rate = images, epochs, loss, rate
        self.network = network

    def batch(self, draw: Draw) -> Tensor:
        """Return this process's share of the step's images."""
        rows = self._epochs.batch(draw.step).reshape(draw.world, -1)[draw.rank]
        return self._images.some(rows, self.network.offset.device, draw.generator)

    def forward(self, batch: Tensor, draw: Draw) -> Tensor:
        """Return the mean squared error per value of a prepared image."""
        x = self.network.prepared(batch)
        return reconstruction_loss(self.network.decoder(self.network.encoder(x)).float(), x, self._loss)

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam with its usual settings."""
        return torch.optim.Adam(self.network.parameters(), lr=self._rate)


def reconstruction_loss(found: Tensor, wanted: Tensor, how: Loss) -> Tensor:
    """Return the mean squared error of images (b, c, s, s).

    An invariant code does not know how the image lay, so plain error teaches the decoder the mean of its
    four rotations. `min_over_rotations` takes, for every image, the rotation that is nearest: the same idea
    as in Lohit & Trivedi, arXiv 2012.04474.
    """
    if how == "mse":
        return F.mse_loss(found, wanted)
    errors = [(found - wanted.rot90(r, (2, 3))).square().mean((1, 2, 3)) for r in range(4)]
    return torch.stack(errors).amin(0).mean()


def rotation_encoder(
    channels: int, width: int, *, slope: float, pool: Literal["max", "mean"]
) -> nn.Sequential:
    """Return an encoder whose code, 8 * width long, is that of the image turned by 90 degrees.

    Five P4 convolutions of 1, 2, 4, 8, 8 times `width` fields, 2 x 2 pooling between them, pooling over
    orientations, mean over the position.
    """
    fields = [channels, *(width * s for s in _STAGES)]
    stages: list[nn.Module] = []
    for i in range(len(_STAGES)):
        stages += [GroupConv(fields[i], fields[i + 1], lifting=i == 0), FieldNorm(fields[i + 1])]
        stages += _activated(slope, pooled=i < 4)
    return nn.Sequential(*stages, GroupPool(pool), _Mean())


def plain_encoder(channels: int, width: int, *, slope: float) -> nn.Sequential:
    """Return the same with usual convolutions; its code is as long and knows how the image lay.

    Twice as many channels as the other has fields: so the layers in between have as many weights, as Cohen &
    Welling compare them. The last one has half as many, for a code of the same length.
    """
    c = [channels, *(2 * width * s for s in _STAGES[:-1]), width * _STAGES[-1]]
    stages: list[nn.Module] = []
    for i in range(len(_STAGES)):
        conv = nn.Conv2d(c[i], c[i + 1], 3, padding=1, bias=False)
        nn.init.kaiming_normal_(conv.weight)
        stages += [conv, nn.BatchNorm2d(c[i + 1]), *_activated(slope, pooled=i < 4)]
    return nn.Sequential(*stages, _Mean())


class Decoder(nn.Module):
    """From codes (b, code) to images (b, channels, side, side) in [-1, 1].

    A dense layer to 32 * width maps of a sixteenth of the side, then six 3 x 3 transposed convolutions that
    mirror the encoder: 8, 8, 4, 2, 1 times `width` maps, the last four of them twice as large as what they
    get, and the image. The paper's table lists five; with five, 45,801,795 parameters are 2,361,856 short.
    """

    def __init__(
        self, code: int, channels: int, side: int, width: int, *, slope: float, upsampling: Upsampling
    ) -> None:
        super().__init__()
        self._start = (32 * width, side // _SHRINK, side // _SHRINK)
        self.dense = nn.Linear(code, int(np.prod(self._start)))
        maps = [32 * width, *(width * s for s in reversed(_STAGES))]
        stages: list[nn.Module] = []
        for i in range(len(_STAGES)):
            stages += _transposed(maps[i], maps[i + 1], upsampling if i else None)
            stages += [nn.BatchNorm2d(maps[i + 1]), nn.LeakyReLU(slope)]
        stages += _transposed(maps[-1], channels, None)
        self.stages = nn.Sequential(*stages, nn.Tanh())

    def forward(self, codes: Tensor) -> Tensor:
        """Decode."""
        images: Tensor = self.stages(self.dense(codes).unflatten(1, self._start))
        return images


def input_shape(
    shape: tuple[int, int, int], channels: Literal["rgb", "native"], side: int | None
) -> tuple[int, int]:
    """Return channels and side of what an autoencoder sees of images of some shape (c, h, w).

    Raises `DataError` for images that are not square, that have neither 1 nor 3 channels where `rgb` is
    asked for, and for sides that do not halve four times.
    """
    c, h, w = shape
    if h != w:
        raise DataError(f"images of {h} x {w} px are not square; prepare them with shape: pad or stretch")
    if channels == "rgb" and c not in (1, 3):
        raise DataError(f"channels: rgb needs images of 1 or 3 channels, these have {c}; use native")
    side = side or h
    if side % _SHRINK:
        raise DataError(f"image_size: {side} px does not halve four times; use a multiple of {_SHRINK}")
    return 3 if channels == "rgb" else c, side


def channel_means(images: Prepared) -> Tensor:
    """Return the mean of every channel over all images, in [0, 1], shape (c, 1, 1)."""
    total = np.zeros(images.shape[0])
    for pixels in images.batches(256):
        total += pixels.sum((0, 2, 3), dtype=np.float64)
    most = np.iinfo(images.pixels.dtype).max
    mean = total / (len(images) * images.shape[1] * images.shape[2] * most)
    return torch.from_numpy(mean.astype(np.float32))[:, None, None]


def published_count(model: nn.Module) -> int:
    """Return the number of parameters as Keras counts: with the running statistics of normalisations."""
    running = [b for name, b in model.named_buffers() if name.endswith(("running_mean", "running_var"))]
    return sum(t.numel() for t in (*model.parameters(), *running))


class _Mean(nn.Module):
    """Global average pooling: (b, c, h, w) -> (b, c)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class _Twice(nn.Module):
    """Every pixel as 2 x 2 equal ones; unlike torch's own, its gradients are the same bits each time."""

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        return x[:, :, :, None, :, None].expand(b, c, h, 2, w, 2).reshape(b, c, 2 * h, 2 * w)


def _activated(slope: float, *, pooled: bool) -> list[nn.Module]:
    return [nn.LeakyReLU(slope), *([nn.MaxPool2d(2)] if pooled else [])]


def _transposed(maps: int, out: int, upsampling: Upsampling | None) -> list[nn.Module]:
    if upsampling == "stride":
        return [nn.ConvTranspose2d(maps, out, 3, stride=2, padding=1, output_padding=1)]
    same = nn.ConvTranspose2d(maps, out, 3, padding=1)
    return [same] if upsampling is None else [_Twice(), same]
