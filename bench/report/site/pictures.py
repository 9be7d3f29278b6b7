"""Pictures of a site: sheets of thumbnails for maps, images of clusters, matrices of similarity."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from bench.imaging.contact import spread
from bench.report.drawing.columns import ImageColumn
from bench.report.figures.similarity import contrast, cosine
from bench.stages.finished import FinishedCell, majority, share_evenly

if TYPE_CHECKING:
    from bench.interfaces import Labels

_SHEET = 1024
"""Side of a sheet of thumbnails, px: small enough to arrive while a pointer rests."""
_LARGEST_TILE, _SMALLEST_TILE = 64, 32
_ALL_TILES = 32_000_000
"""Pixels of all thumbnails of one map, as long as they stay above the smallest size."""
_MOST_CLUSTERS, _PER_CLUSTER, _PER_LINE = 24, 16, 8
_MONTAGE_TILE = 72
_SIMILAR = 300
_QUALITY = 85


@dataclass(frozen=True)
class Sheets:
    """Thumbnails of consecutive images: `across` by `across` of them on each square sheet."""

    tile: int
    """Side of a thumbnail, px."""
    across: int
    files: list[bytes]
    """JPEG."""


@dataclass(frozen=True)
class ClusterPicture:
    """Some images of one cluster, as one JPEG."""

    name: str
    size: int
    main: str
    """Its most frequent class; "" if no class is known."""
    share: float
    """Of its images with a class, how many are of the main one."""
    shown: int
    width: int
    height: int
    file: bytes


@dataclass(frozen=True)
class SimilarityPicture:
    """Similarities of all pairs of some images, ordered by group, as a PNG: one pixel per pair."""

    what: str
    file: bytes
    side: int
    low: float
    within: float
    between: float
    spans: list[tuple[int, int, int]]
    """Group, first image and number of images of it."""


def sheets(cell: FinishedCell, rows: NDArray[np.int64]) -> Sheets:
    """Draw the thumbnails of images, in their order."""
    own = cell.images.shape[1]
    fitting = math.isqrt(_ALL_TILES // max(1, len(rows))) // 8 * 8
    tile = min(own, _LARGEST_TILE, max(_SMALLEST_TILE, fitting))
    across = _SHEET // tile
    files = []
    for start in range(0, len(rows), across**2):
        some = rows[start : start + across**2]
        canvas = np.zeros((-(-len(some) // across) * tile, across * tile, 3), np.uint8)
        for i, row in enumerate(some):
            y, x = divmod(i, across)
            canvas[y * tile : (y + 1) * tile, x * tile : (x + 1) * tile] = _fitted(cell, int(row), tile)
        files.append(_jpeg(canvas))
    return Sheets(tile, across, files)


def clusters(cell: FinishedCell, found: ImageColumn) -> Iterator[ClusterPicture]:
    """Draw up to 16 images of each of the 24 largest clusters, evenly spread over it; noise comes last."""
    shown = shown_clusters(found)
    members = [(f"{found.name} {name}", np.flatnonzero(found.codes == i)) for i, name in shown]
    noise = np.flatnonzero(found.codes < 0)
    for name, rows in [*members, *([("noise", noise)] if noise.size else [])]:
        chosen = spread(rows.tolist(), _PER_CLUSTER)
        tile = min(cell.images.shape[1], _MONTAGE_TILE)
        wide, high = min(_PER_LINE, len(chosen)), -(-len(chosen) // _PER_LINE)
        canvas = np.full((high * tile, wide * tile, 3), 127, np.uint8)
        for i, row in enumerate(chosen):
            y, x = divmod(i, _PER_LINE)
            canvas[y * tile : (y + 1) * tile, x * tile : (x + 1) * tile] = _fitted(cell, row, tile)
        main, count = majority(cell.truth, rows)
        known = int((cell.truth[rows] >= 0).sum())
        text = cell.classes[main] if count else ""
        share = count / known if known else 0.0
        shape = wide * tile, high * tile
        yield ClusterPicture(name, len(rows), text, share, len(chosen), *shape, _jpeg(canvas))


def shown_clusters(found: ImageColumn) -> list[tuple[int, str]]:
    """Return code and name of the clusters of which images are shown."""
    return list(enumerate(found.groups))[:_MOST_CLUSTERS]


def similarity(matrix_of: FinishedCell, what: str, groups: Labels) -> SimilarityPicture:
    """Draw cosines of features, or join probabilities, of at most 300 images, evenly spread over groups."""
    rows = share_evenly(groups, _SIMILAR)
    if what == "join probabilities":
        assert matrix_of.join_probabilities is not None
        matrix = np.asarray(matrix_of.join_probabilities[np.ix_(rows, rows)], np.float64)
        low = 0.0
    else:
        assert matrix_of.features is not None
        matrix = cosine(matrix_of.features[rows])
        low = min(float(np.percentile(matrix, 1)), 0.999)
    within, between = contrast(matrix, groups[rows])
    values, first, counts = np.unique(groups[rows], return_index=True, return_counts=True)
    spans = [(int(v), int(f), int(c)) for v, f, c in zip(values, first, counts, strict=True)]
    shades = np.rint(np.clip((matrix - low) / (1 - low), 0, 1) * 255).astype(np.uint8)
    return SimilarityPicture(what, _png(shades), len(rows), low, within, between, spans)


def _fitted(cell: FinishedCell, row: int, side: int) -> NDArray[np.uint8]:
    picture = cell.picture(row)
    if picture.shape[0] == side:
        return picture
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _jpeg(canvas: NDArray[np.uint8]) -> bytes:
    grey = bool((canvas[..., :1] == canvas).all())
    image = Image.fromarray(canvas[..., 0] if grey else canvas)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _png(shades: NDArray[np.uint8]) -> bytes:
    colours = np.rint(colormaps["viridis"](np.arange(256))[:, :3] * 255).astype(np.uint8)
    image = Image.fromarray(shades)
    image.putpalette(colours.ravel().tolist())
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
