"""Drawn fields of fluorescent cells in six stains, for stand-ins of data that cannot be given away."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

STAINS = ("nuclei", "er", "actin", "nucleoli", "mitochondria", "golgi")
"""The channels of `draw`, in order."""

_SIDE = 128
"""Lengths in a `CellStyle` are in px of a field of this side; other sides scale the field."""
_TILE = 512
_TURNS = 8
"""Number of directions that fibres may take."""
_FINE = 4
"""Outlines are placed to 1 / 2**_FINE px."""


@dataclass(frozen=True)
class CellStyle:
    """What cells of one kind look like; each factor may be scaled on its own."""

    density: float
    """Cells in a field."""
    radius: float
    """Of a cell, in px."""
    nucleus: float
    """Radius of the nucleus, as a share of the cell's."""
    eccentricity: float
    """How much longer than wide nuclei are: 0 is round, 1 is twice as long."""
    spread: float
    """How ragged and drawn-out cells are: 0 is round."""
    fibres: float
    """Strength of actin fibres against the actin in the cell's rim."""
    clumping: float
    """Share of the cells that sit beside another one."""

    def scaled(self, factors: Mapping[str, float]) -> CellStyle:
        """Return a style with some factors multiplied, clipped to what can be drawn."""
        values = {f.name: getattr(self, f.name) * factors.get(f.name, 1.0) for f in fields(self)}
        return replace(self, **{k: float(np.clip(v, *_LIMITS[k])) for k, v in values.items()})


_LIMITS = {
    "density": (1, 120),
    "radius": (4, 30),
    "nucleus": (0.2, 0.75),
    "eccentricity": (0, 1.5),
    "spread": (0, 1),
    "fibres": (0, 1.5),
    "clumping": (0, 1),
}

CELL_TYPES: Mapping[str, CellStyle] = MappingProxyType(
    {
        "A549": CellStyle(24, 12.5, 0.44, 0.30, 0.35, 0.20, 0.35),
        "HEPG2": CellStyle(44, 8.0, 0.60, 0.10, 0.10, 0.10, 0.85),
        "HUVEC": CellStyle(28, 10.5, 0.42, 0.80, 0.30, 0.25, 0.10),
        "RPE": CellStyle(30, 16.0, 0.38, 0.20, 0.25, 1.20, 0.20),
        "U2OS": CellStyle(11, 17.0, 0.48, 0.35, 0.70, 0.60, 0.40),
    }
)
"""Style by name of a cell line, of which each is a caricature."""


@dataclass(frozen=True)
class Batch:
    """What one day's staining and exposure do to an image."""

    gain: NDArray[np.float32]
    """Shape (6,): factor of each stain."""
    offset: NDArray[np.float32]
    """Shape (6,): light that is everywhere, in units of the brightest parts."""

    @classmethod
    def drawn(cls, rng: np.random.Generator, strength: float) -> Batch:
        """Draw one: strength 0 is none, 1 changes gains by about a third up or down."""
        gain = np.exp(0.35 * strength * rng.standard_normal(len(STAINS)))
        offset = 0.02 + 0.08 * strength * rng.random(len(STAINS))
        return cls(gain.astype(np.float32), offset.astype(np.float32))

    def expose(
        self, light: NDArray[np.float32], full: ArrayLike, most: int, rng: np.random.Generator
    ) -> NDArray[np.uint16]:
        """Turn light into values, with noise.

        Parameters
        ----------
        light : float32, shape (6, side, side).
        full : the value of light 1, one for all stains or shape (6,).
        most : the detector's limit.
        """
        values = light * self.gain[:, None, None] + self.offset[:, None, None]
        scale = np.broadcast_to(np.asarray(full, np.float32), len(values))[:, None, None]
        noise = rng.standard_normal(values.shape, np.float32)
        values += noise * (np.float32(0.003) + np.float32(0.02) * np.sqrt(np.maximum(values, 0)))
        return np.asarray(np.clip(np.rint(values * scale), 0, most), np.uint16)


def draw(style: CellStyle, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw one field of cells.

    Number, places, sizes, outlines, brightness and texture of the cells come from `rng`.

    Returns
    -------
    float32, shape (6, side, side): light of each of `STAINS`; 0 where there is none, cells about 0.2 to 1.
    """
    scale = side / _SIDE
    bodies, nuclei, rims, spots, golgi = (np.zeros((side, side), np.uint8) for _ in range(5))
    turns = np.zeros((side, side), np.uint8)
    for x, y, radius in _places(style, rng) * scale:
        turn, bright = rng.uniform(0, np.pi), rng.uniform(0.65, 1.0)
        body = _outline(radius, style.spread, 1 + 0.9 * style.spread * rng.random(), turn, rng)
        stretch = np.sqrt(1 + style.eccentricity * rng.uniform(0.6, 1.4))
        nucleus = _outline(radius * style.nucleus * rng.uniform(0.85, 1.15), 0.08, stretch, turn, rng)
        centre = np.array([x, y])
        _fill(bodies, centre + body, 255 * bright)
        _fill(turns, centre + body, turn / np.pi * _TURNS, smooth=False)
        _rim(rims, centre + body, 255 * bright, scale)
        shift = radius * 0.12 * rng.standard_normal(2)
        _fill(nuclei, centre + shift + nucleus, 255 * rng.uniform(0.6, 1.0))
        reach = radius * style.nucleus
        for dx, dy, size in rng.uniform(-1, 1, (rng.integers(1, 4), 3)):
            at = centre + shift + np.array([dx, dy]) * reach * 0.45
            _dot(spots, at, (0.16 + 0.05 * size) * reach, 255)
        away = np.array([np.cos(turn + 1.2), np.sin(turn + 1.2)]) * reach
        for dx, dy, size in rng.uniform(-1, 1, (5, 3)):
            at = centre + shift + away + np.array([dx, dy]) * reach * 0.45
            _dot(golgi, at, (0.2 + 0.1 * size) * reach, 255 * bright)
    return _stains(style, scale, (bodies, nuclei, rims, spots, golgi), turns, rng)


def _stains(
    style: CellStyle,
    scale: float,
    parts: tuple[NDArray[np.uint8], ...],
    turns: NDArray[np.uint8],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    side = len(turns)
    outside = (parts[1] < 64).astype(np.uint8)
    depth = cv2.distanceTransform(outside, cv2.DIST_L2, 3) if not outside.all() else None
    body, nucleus, rim, spot, golgi = (p.astype(np.float32) / np.float32(255) for p in parts)
    body = np.asarray(cv2.GaussianBlur(body, (0, 0), 0.9 * scale), np.float32)
    near = np.exp(depth * np.float32(-1.6 / (style.radius * scale))) if depth is not None else body * 0
    inside = 1 - np.minimum(nucleus * 1.5, 1)
    cloud, grain, speckle = (_texture(kind, side, rng) for kind in ("cloud", "grain", "speckle"))
    fibre = _fibres(turns, side, rng)
    light = np.stack(
        [
            nucleus * (0.75 + 0.35 * cloud) + 0.04 * body,
            body * near * (0.35 + 0.65 * inside) * (0.7 + 0.5 * cloud),
            body * (0.18 + 0.55 * style.fibres * fibre) * (0.6 + 0.4 * inside) + 0.45 * rim,
            body * near * (0.3 + 0.3 * cloud) + 0.12 * nucleus + 0.75 * spot * np.minimum(nucleus * 2, 1),
            body * near * inside * (0.12 + 1.1 * grain),
            body * (0.15 + 0.25 * speckle) + 0.6 * golgi * np.minimum(body * 2, 1) + 0.15 * rim,
        ]
    ).astype(np.float32)
    blurred = [cv2.GaussianBlur(stain, (0, 0), 0.55 * scale) for stain in light]
    x = np.linspace(-1, 1, side, dtype=np.float32)
    tilt = 1 + 0.06 * (x * rng.uniform(-1, 1) + x[:, None] * rng.uniform(-1, 1))
    return np.stack(blurred) * tilt.astype(np.float32)


def _places(style: CellStyle, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return x, y and radius per cell; centres keep off each other, but may lie a little outside."""
    n = max(1, round(style.density * np.exp(0.1 * rng.standard_normal())))
    radii = style.radius * np.exp(0.14 * rng.standard_normal(n))
    tries = rng.uniform(-0.05, 1.05, (n, 12, 2)) * _SIDE
    beside = rng.random(n) < style.clumping
    angles = rng.uniform(0, 2 * np.pi, (n, 12))
    found: list[tuple[float, float, float]] = []
    centres = np.empty((n, 2))
    for i in range(n):
        candidates = tries[i]
        if beside[i] and found:
            x, y, other = found[int(angles[i, 0] / (2 * np.pi) * len(found))]
            step = 0.72 * (other + radii[i])
            candidates = np.column_stack([x + step * np.cos(angles[i]), y + step * np.sin(angles[i])])
        gaps = np.linalg.norm(candidates[:, None] - centres[None, : len(found)], axis=2)
        clear = gaps.min(1) if len(found) else np.full(12, np.inf)
        fits = np.flatnonzero(
            (clear > 1.25 * radii[i]) & (np.abs(candidates - _SIDE / 2).max(1) < 0.56 * _SIDE)
        )
        if fits.size:
            x, y = candidates[fits[0]]
            centres[len(found)] = x, y
            found.append((float(x), float(y), float(radii[i])))
    return np.array(found)


_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_WAVES = np.stack([f(k * _ANGLES) for k in (2, 3, 4, 5) for f in (np.cos, np.sin)])


def _outline(
    radius: float, ragged: float, stretch: float, turn: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a closed outline about the origin, drawn out along `turn`."""
    r = radius * np.clip(1 + ragged * 0.22 * (rng.standard_normal(8) @ _WAVES), 0.45, 1.8)
    x, y = stretch * r * np.cos(_ANGLES), r * np.sin(_ANGLES) / stretch
    return np.column_stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)])


def _fill(
    canvas: NDArray[np.uint8], points: NDArray[np.float64], value: float, *, smooth: bool = True
) -> None:
    line = cv2.LINE_AA if smooth else cv2.LINE_8
    cv2.fillPoly(canvas, [_fixed(points)], int(value), line, _FINE)


def _rim(canvas: NDArray[np.uint8], points: NDArray[np.float64], value: float, scale: float) -> None:
    cv2.polylines(canvas, [_fixed(points)], True, int(value), max(1, round(scale)), cv2.LINE_AA, _FINE)


def _dot(canvas: NDArray[np.uint8], at: NDArray[np.float64], radius: float, value: float) -> None:
    x, y = _fixed(at)
    cv2.circle(canvas, (int(x), int(y)), max(1, round(radius * 2**_FINE)), int(value), -1, cv2.LINE_AA, _FINE)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.asarray(np.rint(points * 2**_FINE), np.int32)


def _texture(kind: str, side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a random part of a texture, about 0 to 1, shape (side, side)."""
    return _part(kind, side, rng.integers(0, _TILE - _SIDE, 2))


def _fibres(turns: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return fibres that run along each cell's own direction, 0 to 1."""
    at = rng.integers(0, _TILE - _SIDE, 2)
    parts = np.stack([_part(f"fibre{turn}", side, at) for turn in range(_TURNS)])
    return np.asarray(parts[turns % _TURNS, np.arange(side)[:, None], np.arange(side)])


def _part(kind: str, side: int, at: NDArray[np.int64]) -> NDArray[np.float32]:
    x, y = at
    part = _tile(kind)[y : y + _SIDE, x : x + _SIDE]
    if side == _SIDE:
        return part
    return np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


@functools.cache
def _tile(kind: str) -> NDArray[np.float32]:
    """Make a texture once: the same for all seeds, which take parts of it."""
    noise = np.random.default_rng(len(kind)).standard_normal((_TILE, _TILE), np.float32)
    if kind.startswith("fibre"):
        angle = np.pi * (int(kind[5:]) + 0.5) / _TURNS
        along = np.arange(-9, 10)
        x, y = np.meshgrid(along, along)
        u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        kernel = np.exp(-(u**2) / 40 - v**2 / 0.6)
        field = np.asarray(cv2.filter2D(noise, cv2.CV_32F, (kernel - kernel.mean()).astype(np.float32)))
    else:
        fine, coarse = {"cloud": (2.5, 8.0), "grain": (0.8, 2.2), "speckle": (0.6, 1.6)}[kind]
        field = np.asarray(cv2.GaussianBlur(noise, (0, 0), fine) - cv2.GaussianBlur(noise, (0, 0), coarse))
    return np.asarray(1 / (1 + np.exp(-1.5 * field / field.std())), np.float32)
