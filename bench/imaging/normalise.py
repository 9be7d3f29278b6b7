"""Scaling of prepared images, so that groups of them (plates, runs...) compare.

For every group and channel, two percentiles of the pixels become 0 and the largest value of the
pixel type; between them the scale is linear, rounded to whole numbers, and pixels beyond are
clipped. Percentiles are taken over all pixels of all images of the group, after resizing and
without the padding, and interpolated linearly between ranks, as numpy.percentile does by
default. A channel whose two percentiles are equal becomes 0. Padding keeps its
value, or is taken from the borders of the scaled images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.imaging.resize import corner, pad_with_border
from bench.util.parallel import in_order

if TYPE_CHECKING:
    from bench.imaging.pixelfile import PixelFile, Pixels
    from bench.interfaces import Run

ChannelLimits = list[tuple[float, float]]
"""Per channel, the values that become 0 and the largest value."""

_BLOCK_BYTES = 4 << 20
"""Of images that a thread works on at a time."""
_PIECE = 1 << 18
"""Pixels that a thread looks up at a time: numpy turns them into indices of 8 bytes each."""


def normalise(
    pixels: PixelFile,
    covered: NDArray[np.uint16],
    groups: NDArray[np.int64],
    percentiles: tuple[float, float],
    fill: int | Literal["border"],
    run: Run,
) -> dict[int, ChannelLimits]:
    """Scale the images of a file in place, one group after the other.

    Parameters
    ----------
    pixels : images of uint8 or uint16, shape (channels, size, size).
    covered : uint16, shape (n, 2): height and width of each image within its square.
    groups : int64, shape (n,): the number of each image's group, from 0.
    percentiles : in percent; the first is below the second.
    fill : value of the padding; "border" where it is taken from each image's border: it is 0 till then.

    Returns
    -------
    The limits found, by group. They and the pixels do not depend on `run.threads`. In memory are at
    most `run.threads` + 2 blocks of 4 MiB (or one image) and histograms of one group, however many
    images and groups there are.
    """
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    per_block = max(1, _BLOCK_BYTES // pixels.image_bytes)
    limits: dict[int, ChannelLimits] = {}
    done = 0

    def count(rows: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
        return len(rows), _histograms(pixels.read(rows), covered[rows], 0 if fill == "border" else fill)

    for rows in np.split(order, starts[1:]):
        group = int(groups[rows[0]])
        blocks = [rows[i : i + per_block] for i in range(0, len(rows), per_block)]
        total = np.zeros((pixels.image[0], np.iinfo(pixels.dtype).max + 1), np.int64)
        for n, counts in in_order(count, blocks, run.threads):
            total += counts
            done += n
            run.report(done, 2 * len(groups), "images measured or scaled")
        limits[group] = [_limits(channel, percentiles) for channel in total]
        tables = [_table(low, high, pixels.dtype) for low, high in limits[group]]

        def scale(rows: NDArray[np.int64], tables: list[Pixels] = tables) -> int:
            pixels.write(rows, _scaled(pixels.read(rows), covered[rows], fill, tables))
            return len(rows)

        for n in in_order(scale, blocks, run.threads):
            done += n
            run.report(done, 2 * len(groups), "images measured or scaled")
    return limits


def _histograms(block: Pixels, covered: NDArray[np.uint16], fill: int) -> NDArray[np.int64]:
    """Count each value per channel, shape (channels, number of values), without the padding."""
    values = np.iinfo(block.dtype).max + 1
    counts = np.zeros((block.shape[1], values), np.int64)
    for channel, planes in zip(counts, np.moveaxis(block, 1, 0), strict=True):
        flat = np.ascontiguousarray(planes).reshape(-1)
        for start in range(0, flat.size, _PIECE):
            channel += np.bincount(flat[start : start + _PIECE], minlength=values)
    counts[:, fill] -= len(block) * block[0, 0].size - covered.astype(np.int64).prod(axis=1).sum()
    return counts


def _limits(counts: NDArray[np.int64], percentiles: tuple[float, float]) -> tuple[float, float]:
    """Return the two percentiles of the values 0, 1, 2... that occur `counts` times."""
    up_to = np.cumsum(counts)
    ranks = np.array(percentiles) / 100 * (up_to[-1] - 1)
    below = np.floor(ranks)
    low, high = (np.searchsorted(up_to, rank, side="right") for rank in (below, np.ceil(ranks)))
    first, second = low + (high - low) * (ranks - below)
    return float(first), float(second)


def _table(low: float, high: float, dtype: np.dtype[Any]) -> Pixels:
    """Return the new value of every old one."""
    top = np.iinfo(dtype).max
    if high <= low:
        return np.zeros(top + 1, dtype)
    scaled = (np.arange(top + 1) - low) / (high - low) * top
    return np.asarray(np.clip(np.rint(scaled), 0, top).astype(dtype))


def _scaled(
    block: Pixels, covered: NDArray[np.uint16], fill: int | Literal["border"], tables: list[Pixels]
) -> Pixels:
    size = block.shape[-1]
    for c, table in enumerate(tables):
        flat = np.ascontiguousarray(block[:, c]).reshape(-1)
        for start in range(0, flat.size, _PIECE):
            flat[start : start + _PIECE] = table.take(flat[start : start + _PIECE], mode="clip")
        block[:, c] = flat.reshape(-1, size, size)
    for image, (height, width) in zip(block, covered.tolist(), strict=True):
        if fill == "border":
            pad_with_border(image, height, width)
            continue
        top, left = corner(size, height, width)
        image[:, :top] = image[:, top + height :] = fill
        image[:, :, :left] = image[:, :, left + width :] = fill
    return block
