"""Rotation-invariant features without training: angular spectra about the object's centre."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.interfaces import Count, Encoder, Unit

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import Features, Run


class PolarFFT(Encoder):
    """Magnitudes of the angular Fourier series on circles about the object's centroid.

    With f(x) = |I(x) - b|, b the median of the image's border, and c the centroid of f^2,

        feature(r, m) = log(1 + 255 * sqrt(r / r_max) * |mean over t of f(c + r (cos t, sin t)) exp(-i m t)|)

    for `radii` circles and m = 0..`frequencies` - 1. Turning the object shifts t, which changes
    phases only. The circles' lengths weigh them. The logarithm keeps faint structure in play, but
    is linear below one grey level of 8 bits, where there is only noise.
    Invariance is exact for quarter turns, and up to interpolation for others. Every channel has
    its own b and f; c, and the object's radius, belong to the mean of their squares (squares, so that
    a faint background does not outweigh the object by its area).
    """

    source: ClassVar[str] = "Fourier-Mellin descriptors: Sheng & Arsenault, JOSA A 3 (1986) 771"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "scipy.fft")

    radii: Count = 24
    """Number of circles, evenly spaced."""
    angles: Annotated[int, Field(ge=4, le=4096, multiple_of=4)] = 64
    """Points on every circle; a multiple of 4, so that quarter turns map the points onto themselves."""
    frequencies: Count = 12
    """Number of angular frequencies, from the mean (0) upwards; at most half of `angles`, plus 1."""
    scale: Literal["object", "image"] = "object"
    """Unit of `reach`: the object's root mean square radius, weighed by f^2 (features do not change
    with its size), or half the image's side."""
    reach: Annotated[float, Field(gt=0, le=10)] = 3.0
    """Radius of the outermost circle, in units of `scale`."""
    normalise: bool = False
    """Scale every image's features to Euclidean length 1 (no contrast); a blank image stays zero."""
    batch: Annotated[Count, Unit("images")] = 64
    """Images handled at a time; the features do not depend on it."""

    @model_validator(mode="after")
    def _below_nyquist(self) -> Self:
        if self.frequencies > self.angles // 2 + 1:
            raise ValueError(f"frequencies: {self.angles} angles resolve at most {self.angles // 2 + 1}")
        return self

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return features of shape (n, channels * radii * frequencies), not negative."""
        import numpy as np

        features = np.empty((len(images), images.shape[0] * self.radii * self.frequencies), np.float32)
        done = 0
        for pixels in images.batches(self.batch):
            features[done : done + len(pixels)] = self._encode_batch(pixels)
            done += len(pixels)
            run.report(done, len(images), "images")
        return features

    def _encode_batch(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        import numpy as np
        import scipy.fft

        foreground = _foreground(pixels)
        row, column, spread = _moments(np.square(foreground, dtype=np.float64).mean(axis=1))
        unit = spread if self.scale == "object" else np.full_like(spread, pixels.shape[-1] / 2)
        steps = (np.arange(self.radii) + 0.5) / self.radii
        radius = (self.reach * unit)[:, None, None] * steps[:, None]
        angle = 2 * np.pi * np.arange(self.angles) / self.angles
        polar = _sample(
            foreground,
            row[:, None, None] + radius * np.sin(angle),
            column[:, None, None] + radius * np.cos(angle),
        )
        spectrum = np.abs(scipy.fft.rfft(polar, axis=-1)[..., : self.frequencies]) / self.angles
        flat = np.log1p(255 * spectrum * np.sqrt(steps)[:, None]).reshape(len(pixels), -1)
        if self.normalise:
            length = np.linalg.norm(flat, axis=1, keepdims=True)
            flat = flat / np.where(length > 0, length, 1)
        return np.asarray(flat, np.float32)


def _foreground(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the distance of every pixel from its channel's background, not negative."""
    import numpy as np

    scaled = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    sides = [scaled[..., 0, :], scaled[..., -1, :], scaled[..., 1:-1, 0], scaled[..., 1:-1, -1]]
    background = np.median(np.concatenate(sides, axis=-1), axis=-1)
    return np.asarray(np.abs(scaled - background[..., None, None]), np.float32)


def _moments(
    weight: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return row and column of the centroid, and the root mean square radius (at least 1), in px."""
    import numpy as np

    middle = (weight.shape[-1] - 1) / 2
    at = np.arange(weight.shape[-1]) - middle
    total = weight.sum(axis=(1, 2))
    total[total == 0] = 1  # a blank image: the middle, and radius 1
    rows, columns = weight.sum(axis=2), weight.sum(axis=1)
    row, column = rows @ at / total, columns @ at / total
    square = (rows @ at**2 + columns @ at**2) / total - row**2 - column**2
    return row + middle, column + middle, np.sqrt(np.maximum(square, 1))


def _sample(
    values: NDArray[np.float32], row: NDArray[np.float64], column: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Interpolate bilinearly; 0 outside the image.

    values : (n, channels, size, size); row, column : (n, radii, angles), px.
    Returns (n, channels, radii, angles).
    """
    import numpy as np

    n, channels, size, _ = values.shape
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)))
    width = size + 2
    row, column = (np.clip(x + 1, 0, size + 1) for x in (row, column))
    top, left = (np.minimum(x.astype(np.int64), size) for x in (row, column))
    down, right = (row - top).astype(np.float32), (column - left).astype(np.float32)
    corner = top * width + left + np.arange(n)[:, None, None] * (width * width)
    found = np.empty((n, channels, *row.shape[1:]), np.float32)
    for channel in range(channels):
        flat = padded[:, channel].ravel()
        upper = flat[corner] * (1 - right) + flat[corner + 1] * right
        lower = flat[corner + width] * (1 - right) + flat[corner + width + 1] * right
        found[:, channel] = upper * (1 - down) + lower * down
    return found
