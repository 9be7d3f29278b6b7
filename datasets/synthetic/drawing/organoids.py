"""Drawn organoids under a fluorescence microscope, for stand-ins of data that cannot be given away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

_OVER = 2
"""Nuclei are drawn this many times larger and averaged down, which smooths their edges."""
_DIRECTIONS = 2048
_MARGIN = 10
"""Empty px around the organoid while it is drawn, so that blur does not wrap or end early."""


@dataclass(frozen=True)
class OrganoidStyle:
    """What the organoids of one class have in common."""

    lumen: Literal["none", "thin", "thick", "many"]
    """A solid ball, one cavity within a thin or a thick wall, or many small cavities."""
    outline: Literal["round", "lobed", "budded"]
    """Smooth, three to five broad lobes, or many small buds."""
    marker: Literal["diffuse", "spots", "rim", "apical"]
    """Where the red stain is: everywhere, in single cells, at the outside, or around the cavities."""


STYLES: Mapping[int, OrganoidStyle] = MappingProxyType(
    {
        1: OrganoidStyle("none", "round", "diffuse"),
        2: OrganoidStyle("none", "round", "spots"),
        3: OrganoidStyle("thin", "round", "rim"),
        4: OrganoidStyle("thin", "lobed", "diffuse"),
        5: OrganoidStyle("thick", "round", "diffuse"),
        6: OrganoidStyle("thick", "round", "apical"),
        7: OrganoidStyle("many", "round", "diffuse"),
        8: OrganoidStyle("many", "lobed", "spots"),
        9: OrganoidStyle("none", "lobed", "rim"),
        10: OrganoidStyle("thick", "lobed", "spots"),
        11: OrganoidStyle("none", "budded", "diffuse"),
        12: OrganoidStyle("thin", "budded", "spots"),
        13: OrganoidStyle("many", "budded", "apical"),
    }
)
"""Class -> what its organoids look like."""


def draw(style: OrganoidStyle, rng: np.random.Generator) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Draw one organoid, cropped to its mask.

    Red is a marker, green the borders of cells, blue their nuclei. Rotation, size (sides of about 60 to 260
    px), elongation, outline, cavities, cells, focus, brightness of every stain, shading and noise all come
    from `rng`.

    Returns
    -------
    image : uint16, shape (height, width, 3), RGB; 0 outside the mask and above 255 within it.
    mask : uint8, shape (height, width); 255 where the organoid is, else 0.
    """
    shape = _Shape(style, rng)
    tissue, haze = shape.tissue(), shape.haze(rng)
    nuclei, borders, cells = _cells(tissue, rng)
    apical, rim = shape.band(shape.cavity, rng.uniform(1.5, 3)), shape.band(shape.edge, rng.uniform(1.5, 3))
    red = _marker(style.marker, shape, cells, rng)
    green = (0.75 * borders + 0.2) * tissue + rng.uniform(0.4, 0.9) * apical + rng.uniform(0.1, 0.4) * rim
    blue = nuclei + 0.08
    light = np.dstack([red * tissue + haze, green + haze, blue * tissue + haze]).astype(np.float32)
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), rng.uniform(0.7, 1.5)))
    gain = rng.uniform(9_000, 30_000) * np.exp(0.3 * rng.standard_normal(3))
    counts = light * shape.shading(rng)[..., None] * gain.astype(np.float32)
    counts += np.float32(rng.uniform(500, 900))
    counts += rng.standard_normal(counts.shape, np.float32) * np.sqrt(counts * np.float32(rng.uniform(8, 30)))
    mask = shape.edge > -rng.uniform(1, 3)
    image = np.clip(counts, 256, 65535).astype(np.uint16) * mask[..., None]
    return _cropped(image, mask, rng)


def _marker(
    kind: str, shape: _Shape, cells: NDArray[np.int32], rng: np.random.Generator
) -> NDArray[np.float32]:
    if kind == "diffuse":
        return _patches(cells.shape, rng)
    if kind == "spots":
        return _chosen(cells, rng.uniform(0.12, 0.25), rng) + np.float32(0.15)
    where = shape.edge if kind == "rim" else shape.cavity
    return shape.band(where, rng.uniform(3, 6)) + np.float32(0.2)


class _Shape:
    """Distances to the outside and to the cavities, px, on one canvas."""

    def __init__(self, style: OrganoidStyle, rng: np.random.Generator) -> None:
        self.radius = float(np.clip(52 * np.exp(0.25 * rng.standard_normal()), 28, 100))
        angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.88, 1.14)
        outline = _outline(style.outline, rng)
        half = int(np.ceil(1.14 * outline.max() * self.radius)) + _MARGIN
        at = (np.arange(-half, half, dtype=np.float32) + np.float32(0.5)) / np.float32(self.radius)
        x, y = at[None, :], at[:, None]
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        self._u = (cos * x + sin * y) * np.float32(stretch)
        self._v = (cos * y - sin * x) / np.float32(stretch)
        turn = np.arctan2(self._v, self._u) * np.float32(_DIRECTIONS / (2 * np.pi))
        self._limit = outline[turn.astype(int) % _DIRECTIONS]
        self._distance = np.hypot(self._u, self._v)
        self.edge: NDArray[np.float32] = (self._limit - self._distance) * np.float32(self.radius)
        """Distance to the outside; negative there."""
        self.cavity: NDArray[np.float32] = self._cavities(style.lumen, rng) * np.float32(self.radius)
        """Distance to the nearest cavity; negative within."""

    def tissue(self) -> NDArray[np.float32]:
        """Return the share of tissue at each pixel, 0 to 1."""
        return np.asarray(np.clip(self.edge / 2 + 0.5, 0, 1) * np.clip(self.cavity / 2 + 0.5, 0, 1))

    def haze(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the light from tissue above and below the focal plane."""
        depth = np.sqrt(np.clip(self.edge / np.float32(self.radius), 0, 1))
        return np.asarray(depth * np.float32(rng.uniform(0.05, 0.18)))

    def shading(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Return how much light of each pixel arrives: more or less in the middle, and with a gradient."""
        middle = 1 - np.minimum(self._distance, 1) ** 2
        slope_u, slope_v = rng.uniform(-0.25, 0.25, 2)
        light = 1 + rng.uniform(-0.4, 0.3) * middle + slope_u * self._u + slope_v * self._v
        return np.asarray(np.maximum(light, 0.2), np.float32)

    @staticmethod
    def band(distance: NDArray[np.float32], width: float) -> NDArray[np.float32]:
        """Return a bright line of a width, px, along where a distance is 0."""
        return np.asarray(np.exp(-((distance / np.float32(width)) ** 2)))

    def _cavities(self, lumen: str, rng: np.random.Generator) -> NDArray[np.float32]:
        if lumen == "none":
            return np.full_like(self._u, 9)
        if lumen == "many":
            return self._small_cavities(rng)
        share = rng.uniform(0.66, 0.82) if lumen == "thin" else rng.uniform(0.36, 0.54)
        dx, dy = rng.uniform(-0.5, 0.5, 2) * (0.9 - share) * 0.5
        return np.asarray(np.hypot(self._u - dx, self._v - dy) - share * self._limit, np.float32)

    def _small_cavities(self, rng: np.random.Generator) -> NDArray[np.float32]:
        nearest = np.full_like(self._u, 9)
        placed: list[tuple[float, float, float]] = []
        wanted = int(rng.integers(5, 11))
        for _ in range(60):
            r, a, size = 0.72 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi), rng.uniform(0.09, 0.2)
            x, y = r * np.cos(a), r * np.sin(a)
            if all(np.hypot(x - px, y - py) > size + other + 0.1 for px, py, other in placed):
                placed.append((x, y, size))
                nearest = np.minimum(nearest, np.hypot(self._u - x, self._v - y) - size)
            if len(placed) == wanted:
                break
        return np.asarray(nearest, np.float32)


def _outline(kind: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the radius in `_DIRECTIONS` directions, about 1."""
    angle = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
    phase = rng.uniform(0, 2 * np.pi, 5)
    limit = 1 + sum(np.sin(k * angle + p) * rng.normal(0, 0.09) / k for k, p in enumerate(phase, 2))
    if kind == "round":
        return np.asarray(limit, np.float32)
    n, depth = (int(rng.integers(3, 6)), 0.44) if kind == "lobed" else (int(rng.integers(8, 14)), 0.23)
    # Lobes differ in width (the angle is warped) and in height.
    warped = angle + 0.45 * np.sin(angle + phase[0]) + 0.2 * np.sin(2 * angle + phase[1])
    turned = (warped + phase[2]) * (n / (2 * np.pi)) % n
    heights = rng.uniform(0.35, 1.1, n)[turned.astype(int) % n]
    bulge = np.sqrt(np.abs(np.sin(np.pi * turned)))  # round outside, with clefts between
    return np.asarray(limit + depth * (heights * bulge - 0.55), np.float32)


def _cells(
    tissue: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Return nuclei and borders of cells (both 0 to 1), and the number of the cell of each pixel."""
    height, width = tissue.shape
    spacing = rng.uniform(7, 10)
    x, y = np.meshgrid(np.arange(0, width, spacing), np.arange(0, height, spacing))
    x[1::2] += spacing / 2
    x, y = (c.ravel() + rng.normal(0, spacing / 4, c.size) for c in (x, y))
    column, row = np.clip(x.astype(int), 0, width - 1), np.clip(y.astype(int), 0, height - 1)
    kept = tissue[row, column] > 0.4
    x, y, column, row = x[kept], y[kept], column[kept], row[kept]
    seeds = np.ones((height, width), np.uint8)
    seeds[row, column] = 0
    _, cells = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    differs = np.zeros((height, width), np.float32)
    differs[:, :-1] = cells[:, :-1] != cells[:, 1:]
    differs[:-1] += cells[:-1] != cells[1:]
    borders = cv2.GaussianBlur(np.minimum(differs, 1), (0, 0), 0.8)
    canvas = np.zeros((height * _OVER, width * _OVER), np.uint8)
    axes = np.rint(rng.uniform(0.24, 0.4, (len(x), 2)) * spacing * _OVER).astype(int)
    turns, values = rng.uniform(0, 180, len(x)), rng.integers(110, 256, len(x))
    for i in range(len(x)):
        centre = (round(x[i] * _OVER), round(y[i] * _OVER))
        cv2.ellipse(canvas, centre, axes[i].tolist(), turns[i], 0, 360, int(values[i]), -1)
    nuclei = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)
    return np.asarray(nuclei, np.float32), np.asarray(borders, np.float32), np.asarray(cells, np.int32)


def _chosen(cells: NDArray[np.int32], share: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return 0 for most cells, and up to 1 for a share of them."""
    levels = (rng.random(int(cells.max()) + 1) < share) * rng.uniform(0.5, 1, int(cells.max()) + 1)
    return np.asarray(cv2.GaussianBlur(levels.astype(np.float32)[cells], (0, 0), 1))


def _patches(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.uniform(0.25, 0.75, (7, 7)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def _cropped(
    image: NDArray[Any], mask: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Cut out the mask with a margin on each side."""
    where = mask.astype(np.uint8) * np.uint8(255)
    x, y, width, height = cv2.boundingRect(where)
    left, top, right, bottom = rng.integers(0, 9, 4)
    rows = slice(max(0, y - top), y + height + bottom)
    columns = slice(max(0, x - left), x + width + right)
    return np.ascontiguousarray(image[rows, columns]), np.ascontiguousarray(where[rows, columns])
