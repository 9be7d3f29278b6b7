"""Random changes of whole batches of images, on their device, for grey, colour and many-channel images.

Every function takes float images of shape (b, c, h, w), values in [0, 1], and the generator that all
its chances are drawn from; every image of the batch is changed on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.nn.inputs import resized


@dataclass(frozen=True)
class Geometry:
    """Which part of an image is shown, and in which orientation."""

    area: tuple[float, float] = (1.0, 1.0)
    """Share of the image's area that a crop covers: random resized crops."""
    aspect: tuple[float, float] = (1.0, 1.0)
    """Width over height of a crop, drawn on a log scale."""
    degrees: float = 0.0
    """Largest angle of rotation, either way; 180: any."""
    quarters: bool = False
    """Rotation by a random multiple of 90 degrees."""
    flip: bool = False
    """Mirror every other image, left to right and, independently, top to bottom."""
    shift: float = 0.0
    """Movement by up to this share of the side, either way, in both directions."""
    probability: float = 1.0
    """Share of the images that are changed at all."""


@dataclass(frozen=True)
class IntensityChanges:
    """How bright and how sharp an image is."""

    brightness: float = 0.0
    """Factor between 1 - b and 1 + b."""
    contrast: float = 0.0
    """Factor between 1 - c and 1 + c of the distance to the image's mean."""
    gamma: float = 0.0
    """Exponent between 1 / (1 + g) and 1 + g."""
    per_channel: bool = False
    """Draw the three independently for each channel."""
    blur: tuple[float, float] = (0.0, 0.0)
    """Range of the standard deviation (sigma) of a Gaussian, in px; (0, 0): none."""
    noise: float = 0.0
    """Largest standard deviation of Gaussian noise."""
    probability: float = 1.0
    """Share of the images whose brightness, contrast and gamma change."""
    blur_probability: float = 0.5


def geometry(x: Tensor, g: Geometry, generator: torch.Generator, size: int | None = None) -> Tensor:
    """Crop, rotate, mirror and shift; return images of side `size`, by default the side they have.

    All of it is one bilinear sampling, so that nothing is blurred twice. Pixels beyond the border
    repeat those of the border, so that a background stays uniform. Images of which even the smallest crop
    has more pixels than needed are shrunk first, with antialiasing, as for encoding.
    """
    b = len(x)
    size = size or x.shape[-1]
    enough = math.ceil(size / math.sqrt(g.area[0]))
    if x.shape[-1] > enough:
        x = resized(x, enough)
    draw = _Draw(b, x, generator)
    keep = draw.uniform(0, 1) >= g.probability
    area, ratio = draw.uniform(*g.area), draw.uniform(*map(math.log, g.aspect)).exp()
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    left, top = draw.uniform(-1, 1) * (1 - width), draw.uniform(-1, 1) * (1 - height)
    angle = draw.uniform(-g.degrees, g.degrees) * math.pi / 180
    if g.quarters:
        angle = angle + (draw.uniform(0, 4).floor().clamp(max=3)) * (math.pi / 2)
    mirror_x, mirror_y = (torch.where(draw.uniform(0, 1) < 0.5, -1.0, 1.0) for _ in range(2))
    if not g.flip:
        mirror_x, mirror_y = torch.ones_like(mirror_x), torch.ones_like(mirror_y)
    left = left + draw.uniform(-2 * g.shift, 2 * g.shift)
    top = top + draw.uniform(-2 * g.shift, 2 * g.shift)
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack(
        [
            width * cos * mirror_x,
            -width * sin * mirror_y,
            left,
            height * sin * mirror_x,
            height * cos * mirror_y,
            top,
        ],
        dim=1,
    ).reshape(b, 2, 3)
    same = torch.tensor([[1.0, 0, 0], [0, 1, 0]], device=x.device).expand_as(rows)
    grid = F.affine_grid(
        torch.where(keep[:, None, None], same, rows), [b, x.shape[1], size, size], align_corners=False
    )
    return F.grid_sample(x, grid.to(x.dtype), mode="bilinear", padding_mode="border", align_corners=False)


def intensity(x: Tensor, i: IntensityChanges, generator: torch.Generator) -> Tensor:
    """Change gamma, contrast, brightness, sharpness and noise, in this order; values stay in [0, 1]."""
    draw = _Draw(len(x), x, generator, channels=x.shape[1] if i.per_channel else 1)
    chosen = _Draw(len(x), x, generator).uniform(0, 1)[:, None, None, None] < i.probability
    changed = x
    if i.gamma:
        limit = math.log1p(i.gamma)
        changed = changed.clamp_min(1e-6) ** draw.planes(-limit, limit).exp()
    if i.contrast:
        mean = changed.mean(dim=(2, 3) if i.per_channel else (1, 2, 3), keepdim=True)
        changed = mean + (changed - mean) * draw.planes(1 - i.contrast, 1 + i.contrast)
    if i.brightness:
        changed = changed * draw.planes(1 - i.brightness, 1 + i.brightness)
    x = torch.where(chosen, changed, x)
    if i.blur[1] > 0:
        x = blur(x, i.blur, i.blur_probability, generator)
    if i.noise:
        strength = _Draw(len(x), x, generator).uniform(0, i.noise)[:, None, None, None]
        x = x + strength * torch.randn(x.shape, device=x.device, dtype=x.dtype, generator=generator)
    return x.clamp(0, 1)


def blur(x: Tensor, sigma: tuple[float, float], probability: float, generator: torch.Generator) -> Tensor:
    """Blur a share of the images by Gaussians with standard deviations drawn from `sigma`, in px."""
    b, c, h, w = x.shape
    draw = _Draw(b, x, generator)
    chosen = draw.uniform(0, 1) < probability
    std = draw.uniform(*sigma).clamp_min(1e-3)
    radius = max(1, min(math.ceil(3 * sigma[1]), min(h, w) - 1))
    offsets = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (offsets / std[:, None]) ** 2)
    kernel = torch.where(chosen[:, None], kernel, (offsets == 0).to(x.dtype))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(c, 0)[:, None]  # (b c, 1, k)
    flat = F.pad(x.reshape(1, b * c, h, w), (radius,) * 4, mode="replicate")
    flat = F.conv2d(flat, kernel[:, :, :, None], groups=b * c)
    return F.conv2d(flat, kernel[:, :, None, :], groups=b * c).reshape(b, c, h, w)


class _Draw:
    """Random numbers, one per image or one per image and channel."""

    def __init__(self, b: int, x: Tensor, generator: torch.Generator, channels: int = 1) -> None:
        self._b, self._channels, self._like, self._generator = b, channels, x, generator

    def uniform(self, low: float, high: float) -> Tensor:
        """Shape (b,)."""
        return self._numbers(self._b) * (high - low) + low

    def planes(self, low: float, high: float) -> Tensor:
        """Shape (b, channels or 1, 1, 1)."""
        return (self._numbers(self._b * self._channels) * (high - low) + low).reshape(self._b, -1, 1, 1)

    def _numbers(self, n: int) -> Tensor:
        return torch.rand(n, device=self._like.device, generator=self._generator)
