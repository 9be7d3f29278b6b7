"""From prepared images to tensors, and from tensors to features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


def tensor(pixels: NDArray[Any], device: str | torch.device) -> Tensor:
    """Return images of uint8 or uint16, shape (b, c, h, w), as float32 in [0, 1] on a device."""
    scale = 1.0 / float(np.iinfo(pixels.dtype).max)
    if pixels.dtype == np.uint16 and torch.device(device).type != "cpu":  # few operations know uint16
        return torch.from_numpy(pixels.astype(np.int32)).to(device).float().mul_(scale)
    if pixels.dtype == np.uint16:
        return torch.from_numpy(pixels.astype(np.float32)).mul_(scale)
    return torch.from_numpy(np.ascontiguousarray(pixels)).to(device).float().mul_(scale)


def take(images: Prepared, positions: NDArray[np.int64]) -> NDArray[Any]:
    """Return the images at some positions of the selection, in that order, copied into memory."""
    return np.asarray(images.pixels[images.rows[positions]])


def with_channels(x: Tensor, channels: int) -> Tensor:
    """Return images with `channels` channels: one is repeated, others must already be as many."""
    return x.expand(-1, channels, -1, -1) if x.shape[1] == 1 else x


def resized(x: Tensor, size: int) -> Tensor:
    """Resize images to (size, size), bilinear with antialiasing; images of that size stay as they are."""
    if x.shape[-2:] == (size, size):
        return x
    return torch.nn.functional.interpolate(
        x, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )


def encode(images: Prepared, run: Run, forward: Callable[[Tensor], Tensor], batch: int = 128) -> Features:
    """Apply a network to all images, in order.

    Parameters
    ----------
    forward : takes float32 images in [0, 1], shape (b, c, h, w), on `run.device`; returns (b, d).
        Casts to bfloat16 itself where `dtype_of(run)` says so: a model with bfloat16 weights is
        faster on a CPU than autocast.
    batch : images per pass; results do not depend on it beyond rounding.

    Returns
    -------
    float32, shape (n, d)
    """
    parts: list[NDArray[np.float32]] = []
    done = 0
    with threads(run.threads), torch.inference_mode():
        for pixels in images.batches(batch):
            parts.append(forward(tensor(pixels, run.device)).float().cpu().numpy())
            done += len(pixels)
            run.report(done, len(images), "images")
    return np.concatenate(parts).astype(np.float32, copy=False)


def dtype_of(run: Run) -> torch.dtype:
    """Return the type that networks compute in when no gradients are needed."""
    return torch.bfloat16 if run.precision == "bfloat16" else torch.float32


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch use `n` threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
