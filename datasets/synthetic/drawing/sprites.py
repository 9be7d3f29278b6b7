"""Drawn plankton-like objects on white, for stand-ins of data that cannot be given away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

_OVER = 4
"""Objects are drawn this many times larger and averaged down, which smooths their edges."""
_REACH = 1.5
"""Half the canvas in units of the object's half length: no part reaches farther at any elongation."""

_NARROW = 22
"""Objects narrower than this many px get a wider margin, as the camera's software gives them."""


def draw(kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one object of a kind (a key of `KINDS`), cropped closely.

    Rotation (0 to 360 degrees), size (sides of about 30 to 200 px), elongation, number of parts,
    position, opacity, texture, blur, brightness, illumination gradient, noise and debris all come from `rng`.

    Returns
    -------
    uint8, shape (height, width): dark on a nearly white background.
    """
    radius = float(np.clip(28 * np.exp(0.42 * rng.standard_normal()), 14, 92))
    pen = _Pen(radius, rng)
    KINDS[kind](pen, rng)
    absorbed = _crop(pen.finished(), rng)
    absorbed *= rng.uniform(0.55, 0.92) * _texture(absorbed.shape, rng)
    _add_debris(absorbed, rng)
    blur = rng.uniform(0.3, 1.0) * max(1.0, radius / 40)
    absorbed = np.asarray(cv2.GaussianBlur(absorbed, (0, 0), blur))
    noise = rng.standard_normal(absorbed.shape, np.float32) * np.float32(rng.uniform(2, 5))
    image = _background(absorbed.shape, rng) * (1 - absorbed) + noise
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


class _Pen:
    """Draws on a canvas of absorption (0 clear, 255 opaque) in object units: -1..1 along the long axis."""

    def __init__(self, radius: float, rng: np.random.Generator) -> None:
        side = 2 * int(np.ceil(_REACH * radius))
        self.canvas = np.zeros((side * _OVER, side * _OVER), np.uint8)
        angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.88, 1.14)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        self._unit = radius * _OVER
        self._matrix = self._unit * np.diag([stretch, 1 / stretch]) @ turn
        self._centre = side * _OVER / 2

    def fill(self, points: ArrayLike, value: int) -> None:
        cv2.fillPoly(self.canvas, [self._place(points)], value)

    def line(self, points: ArrayLike, width: float, value: int, *, closed: bool = False) -> None:
        cv2.polylines(self.canvas, [self._place(points)], closed, value, max(2, round(width * self._unit)))

    def dot(self, x: float, y: float, radius: float, value: int) -> None:
        centre = self._place([[x, y]])[0]
        cv2.circle(
            self.canvas, (int(centre[0]), int(centre[1])), max(2, round(radius * self._unit)), value, -1
        )

    def finished(self) -> NDArray[np.float32]:
        """Return the absorption (0..1) at the final resolution."""
        side = self.canvas.shape[0] // _OVER
        small = cv2.resize(self.canvas, (side, side), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / np.float32(255)

    def _place(self, points: ArrayLike) -> NDArray[np.int32]:
        placed: NDArray[np.float64] = np.asarray(points, float) @ self._matrix + self._centre
        return np.rint(placed).astype(np.int32)


def _spined_disc(pen: _Pen, rng: np.random.Generator) -> None:
    n = int(rng.integers(8, 17))
    angles = (np.arange(n) + rng.uniform(-0.25, 0.25, n)) * (2 * np.pi / n)
    lengths = rng.uniform(0.6, 1.0, n)
    width, value = rng.uniform(0.02, 0.045), int(rng.integers(120, 220))
    for angle, length in zip(angles, lengths, strict=True):
        pen.line([[0, 0], [length * np.cos(angle), length * np.sin(angle)]], width, value)
    pen.fill(_blob(rng.uniform(0.22, 0.4), rng, 0.1), 255)


def _bent_cell_chain(pen: _Pen, rng: np.random.Generator) -> None:
    n = int(rng.integers(5, 12))
    bend = rng.uniform(0.5, 2.4)  # angle of the whole arc; its length is 2
    at = (np.arange(n) + 0.5) / n - 0.5
    x, y = 2 / bend * np.sin(bend * at), 2 / bend * (np.cos(bend * at) - np.cos(bend / 4))
    half_length, half_width = 0.94 / n, rng.uniform(0.09, 0.17)
    wall, inside = int(rng.integers(190, 256)), int(rng.integers(70, 150))
    for cx, cy, angle in zip(x, y, -bend * at, strict=True):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        cell = _ROUNDED * [half_length, half_width] @ turn + [cx, cy]
        pen.fill(cell, inside)
        pen.line(cell, 0.03, wall, closed=True)
        pen.dot(cx, cy, half_width * 0.35, wall)


def _pennate_rod(pen: _Pen, rng: np.random.Generator) -> None:
    half_width, power = rng.uniform(0.1, 0.2), rng.uniform(1.6, 4)
    x = np.linspace(-1, 1, 25)
    y = half_width * (1 - np.abs(x) ** power)
    pen.fill(np.column_stack([np.r_[x, x[::-1]], np.r_[y, -y[::-1]]]), int(rng.integers(150, 230)))
    for at in np.linspace(-0.8, 0.8, int(rng.integers(8, 19))):
        reach = half_width * (1 - abs(at) ** power) * 0.85
        pen.line([[at, -reach], [at, reach]], 0.015, 255)
    pen.line([[-0.85, 0], [0.85, 0]], rng.uniform(0.02, 0.05), int(rng.integers(40, 110)))


def _copepod(pen: _Pen, rng: np.random.Generator) -> None:
    plump, value = rng.uniform(0.2, 0.3), int(rng.integers(200, 256))
    spread, sweep = rng.uniform(0.6, 0.95), rng.uniform(-0.5, 0.3)
    t = np.linspace(0, 1, 8)
    for side in (-1, 1):
        reach = spread * rng.uniform(0.75, 1.05)
        antenna = np.column_stack([0.52 + sweep * t**2, side * (0.05 + reach * t)])
        pen.fill(_tapered(antenna, 0.05, 0.02), value - 50)
        fork = [[-0.82, 0], [-1.0, side * rng.uniform(0.06, 0.16)]]
        pen.line(fork, 0.03, value - 40)
    pen.fill(_tapered([[-0.2, 0], [-0.5, 0.02], [-0.84, rng.uniform(-0.08, 0.08)]], 0.1, 0.04), value - 20)
    x = np.linspace(-0.35, 0.62, 15)
    y = plump * np.sqrt(np.clip((x + 0.35) * (0.62 - x), 0, None)) / 0.485 * (1 + 0.35 * x)
    pen.fill(np.column_stack([np.r_[x, x[::-1]], np.r_[y, -y[::-1]]]), value)
    pen.dot(0.45, 0, 0.04, value // 2)


def _horned_dinoflagellate(pen: _Pen, rng: np.random.Generator) -> None:
    value = int(rng.integers(180, 256))
    t = np.linspace(0, 1, 9)
    pen.fill(_tapered([[0.1, 0], [1, rng.uniform(-0.08, 0.08)]], rng.uniform(0.1, 0.16), 0.025), value)
    curl, length = rng.uniform(0.3, 1.1), rng.uniform(0.55, 0.85)
    for side in (-1, 1):
        own = length * rng.uniform(0.85, 1.1)
        x = -0.1 - 0.45 * np.sin(np.pi * 0.5 * t) + curl * own * t**2
        pen.fill(_tapered(np.column_stack([x, side * (0.1 + own * t)]), 0.12, 0.025), value)
    body = _blob(rng.uniform(0.27, 0.36), rng, 0.05) * [0.95, 1.1]
    pen.fill(body, min(255, value + 20))
    pen.line([[0, -0.32], [0.03, 0], [0, 0.32]], rng.uniform(0.03, 0.06), value // 3)


def _hollow_colony(pen: _Pen, rng: np.random.Generator) -> None:
    outline = _blob(rng.uniform(0.8, 0.95), rng, 0.05)
    pen.fill(outline, int(rng.integers(15, 55)))
    pen.line(outline, rng.uniform(0.04, 0.12), int(rng.integers(140, 256)), closed=True)
    n = int(rng.integers(7, 24))
    distance, angle = 0.66 * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
    value = int(rng.integers(130, 240))
    for r, a, size in zip(distance, angle, rng.uniform(0.04, 0.1, n), strict=True):
        pen.dot(r * np.cos(a), r * np.sin(a), size, value)


KINDS: Mapping[str, Callable[[_Pen, np.random.Generator], None]] = MappingProxyType(
    {
        "bent_cell_chain": _bent_cell_chain,
        "copepod": _copepod,
        "hollow_colony": _hollow_colony,
        "horned_dinoflagellate": _horned_dinoflagellate,
        "pennate_rod": _pennate_rod,
        "spined_disc": _spined_disc,
    }
)
"""Name of a kind -> how to draw it."""

_CIRCLE = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_ROUNDED = np.column_stack(
    [
        np.sign(np.cos(_CIRCLE)) * np.abs(np.cos(_CIRCLE)) ** 0.6,
        np.sign(np.sin(_CIRCLE)) * np.abs(np.sin(_CIRCLE)) ** 0.6,
    ]
)


def _blob(radius: float, rng: np.random.Generator, wobble: float) -> NDArray[np.float64]:
    """Return a closed outline around the origin whose radius varies by a share `wobble`."""
    phase = rng.uniform(0, 2 * np.pi, 3)
    r = radius * (1 + wobble * sum(np.sin(k * _CIRCLE + p) / k for k, p in enumerate(phase, 2)))
    return np.column_stack([r * np.cos(_CIRCLE), r * np.sin(_CIRCLE)])


def _tapered(points: ArrayLike, start: float, end: float) -> NDArray[np.float64]:
    """Return the outline of a curve whose half width goes from `start` to `end`."""
    curve = np.asarray(points, float)
    along = np.gradient(curve, axis=0)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / np.linalg.norm(along, axis=1, keepdims=True)
    offset = across * np.linspace(start, end, len(curve))[:, None]
    return np.concatenate([curve + offset, (curve - offset)[::-1]])


def _crop(absorbed: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Cut out what is drawn, with a margin on each side that also shifts the object."""
    x, y, width, height = cv2.boundingRect((absorbed > 0.04).astype(np.uint8))
    before_x, before_y, after_x, after_y = rng.integers(2, 8, 4)
    before_x, before_y = before_x + max(0, _NARROW - width) // 2, before_y + max(0, _NARROW - height) // 2
    after_x, after_y = after_x + max(0, _NARROW - width) // 2, after_y + max(0, _NARROW - height) // 2
    padded = np.zeros((height + before_y + after_y, width + before_x + after_x), np.float32)
    padded[before_y : before_y + height, before_x : before_x + width] = absorbed[
        y : y + height, x : x + width
    ]
    return padded


def _texture(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.uniform(0.7, 1.1, (6, 6)).astype(np.float32)
    fine = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.minimum(fine, np.float32(1))


def _add_debris(absorbed: NDArray[np.float32], rng: np.random.Generator) -> None:
    height, width = absorbed.shape
    for _ in range(int(rng.integers(0, 4))):
        at = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(absorbed, at, int(rng.integers(1, 3)), float(rng.uniform(0.15, 0.6)), -1)


def _background(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return an illumination of 233 to 265 (the camera clips at 255) with a linear gradient."""
    height, width = shape
    level, slope_x, slope_y = rng.uniform([243, -5, -5], [255, 5, 5])
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    light: NDArray[np.float64] = level + slope_x * x + slope_y * y
    return light.astype(np.float32)
