"""What adapters are tried on: small drawn images of three classes, and features and pairs like theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.images import Prepared

if TYPE_CHECKING:
    from bench.interfaces import Features, JoinProbabilities

CLASSES = ("bar", "disc", "ring")
FEATURES = 8


@dataclass(frozen=True)
class Material:
    """What the parts of a method work on, for the same images."""

    images: Prepared
    """With their labels."""
    features: Features
    """Shape (n, 8): three clusters."""
    join_probabilities: JoinProbabilities
    """Shape (n, n): high within the clusters."""

    def __len__(self) -> int:
        return len(self.images)

    def copy(self) -> Material:
        """Return a copy that shares no array with this one."""
        images = replace(self.images, pixels=self.images.pixels.copy(), rows=self.images.rows.copy())
        return Material(images, self.features.copy(), self.join_probabilities.copy())

    def taken(self, rows: NDArray[np.int64]) -> Material:
        """Return some of the images, in this order, in arrays of their own."""
        images = self.images
        assert images.labels is not None
        chosen = replace(
            images,
            pixels=images.pixels[images.rows[rows]],
            rows=np.arange(rows.size),
            ids=[images.ids[i] for i in rows],
            labels=images.labels[rows],
        )
        return Material(chosen, self.features[rows], self.join_probabilities[np.ix_(rows, rows)])

    def content(self) -> list[bytes]:
        """Return the bytes of all arrays, to see whether somebody wrote into them."""
        images = self.images
        arrays = (images.pixels, images.rows, images.labels, self.features, self.join_probabilities)
        return [a.tobytes() for a in arrays if a is not None]


def drawn(n: int, size: int, channels: int = 1, dtype: type[Any] = np.uint8) -> Material:
    """Draw `n` images of bars, discs and rings, shape (n, channels, size, size), named image-0, image-1...

    The same every time. Image i does not depend on how many there are.
    """
    top = np.iinfo(dtype).max
    pixels = np.empty((n, channels, size, size), dtype)
    features = np.empty((n, FEATURES), np.float32)
    labels = np.arange(n, dtype=np.int64) % len(CLASSES)
    for i in range(n):
        rng = np.random.default_rng([0, i])
        shape = _shape(CLASSES[labels[i]], size, rng)
        tints = rng.uniform(0.6, 1, (channels, 1, 1))
        noise = rng.normal(0, 0.04, (channels, size, size))
        pixels[i] = np.clip((0.1 + 0.7 * tints * shape + noise) * top, 0, top)
        features[i] = rng.normal(0, 1, FEATURES) + 8 * (np.arange(FEATURES) == labels[i])
    ids = [f"image-{i}" for i in range(n)]
    return Material(Prepared(pixels, np.arange(n), ids, CLASSES, labels), features, _joins(labels))


def blank(like: Material) -> Material:
    """Return the images, features and pairs of a set in which all images are the same, and of one value."""
    images = like.images
    value = np.iinfo(images.pixels.dtype).max // 2
    return Material(
        replace(images, pixels=np.full_like(images.pixels, value)),
        np.ones_like(like.features),
        np.ones_like(like.join_probabilities),
    )


def _joins(labels: NDArray[np.int64]) -> JoinProbabilities:
    n = labels.size
    noise = np.random.default_rng(1).uniform(-0.15, 0.15, (n, n))
    same = labels[:, None] == labels[None]
    p = np.where(same, 0.8, 0.2) + (noise + noise.T) / 2
    np.fill_diagonal(p, 1)
    return p.astype(np.float32)


def _shape(kind: str, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return one shape, 1 inside and 0 outside, shape (size, size), anywhere and at any angle."""
    x, y = (np.mgrid[:size, :size] + 0.5) / size - 0.5 - rng.uniform(-0.1, 0.1, (2, 1, 1))
    angle, radius = rng.uniform(0, np.pi), rng.uniform(0.2, 0.35)
    away = np.hypot(x, y)
    inside = {
        "disc": away < radius,
        "ring": (away < radius) & (away > 0.6 * radius),
        "bar": (np.abs(x * np.cos(angle) + y * np.sin(angle)) < 0.08) & (away < 0.4),
    }[kind]
    return np.asarray(inside, np.float64)
