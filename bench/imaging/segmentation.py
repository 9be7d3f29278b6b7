"""Cells in images: where they are, and their pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Run

Boxes = NDArray[np.int64]
"""Shape (k, 4): left, top, width and height in px."""

_MARGIN = 0.1
"""Share of its side that a cell's picture shows beyond the cell, on each side."""


class Cells:
    """The cells of a selection of images. Where no cell was found, the whole image is the only one."""

    def __init__(self, images: Prepared, boxes: list[Boxes], size: int, clip: int | None = None) -> None:
        """`boxes`: those of each image; `clip`: larger values become it, before cells are resized."""
        _, height, width = images.shape
        whole = np.array([[0, 0, width, height]])
        self.empty = sum(len(b) == 0 for b in boxes)
        """Number of images without a cell."""
        boxes = [b if len(b) else whole for b in boxes]
        self.boxes: Boxes = np.concatenate(boxes)
        self.image = np.repeat(np.arange(len(boxes)), [len(b) for b in boxes])
        """Shape (m,): the image that each cell is in."""
        self._images, self._size, self._clip = images, size, clip

    def pixels(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return pictures of some cells, in the pixels' type, shape (b, channels, size, size)."""
        channels = self._images.shape[0]
        found = np.empty((len(positions), channels, self._size, self._size), self._images.pixels.dtype)
        for target, position in zip(found, positions, strict=True):
            image = self._images.pixels[self._images.rows[self.image[position]]]
            left, top, side_x, side_y = _square(self.boxes[position], image.shape[1:])
            cut = np.asarray(image[:, top : top + side_y, left : left + side_x])
            if self._clip is not None:
                cut = np.minimum(cut, self._clip)
            for plane, out in zip(cut, target, strict=True):
                shrinks = max(plane.shape) > self._size
                how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
                out[:] = cv2.resize(np.ascontiguousarray(plane), (self._size, self._size), interpolation=how)
        return found


@dataclass(frozen=True)
class CellSearch:
    """How cells are found."""

    how: Literal["otsu", "cellpose"]
    on: int | None
    """Channel to look at; None for the median over the channels."""
    min_area: float
    """Of a cell, in px²; smaller ones are left out."""
    most: int
    """At most this many cells per image, the largest first."""
    clip: int | None
    """Values above become it, before anything else; None for no limit."""


def segment(images: Prepared, search: CellSearch, size: int, run: Run) -> Cells:
    """Find the cells of images; `size` is the side in px of a cell's picture.

    Raises `DataError` for a channel that the images do not have, or Cellpose if it is not installed.
    """
    on, clip, channels = search.on, search.clip, images.shape[0]
    if on is not None and on >= channels:
        raise DataError(f"segment_on: channel {on} of images that have {channels}, counted from 0")
    find = _cellpose(run) if search.how == "cellpose" else otsu
    boxes = []
    for i in range(len(images)):
        image = np.asarray(images.pixels[images.rows[i]])
        if clip is not None:
            image = np.minimum(image, clip)
        seen = image[on] if on is not None else grey(image)
        boxes.append(find(np.ascontiguousarray(seen), search.min_area, search.most))
        run.report(i + 1, len(images), "images segmented")
    return Cells(images, boxes, size, clip)


def grey(image: NDArray[Any]) -> NDArray[Any]:
    """Return the median over the channels (of an even number the lower of the middle two), shape (h, w)."""
    middle = (len(image) - 1) // 2
    return np.asarray(np.partition(image, middle, axis=0)[middle])


def otsu(image: NDArray[Any], min_area: float, most: int) -> Boxes:
    """Return the boxes around regions brighter than Otsu's threshold (1979), the largest first.

    An image of one value has no threshold, and no box.

    Parameters
    ----------
    image : uint8 or uint16, shape (h, w).
    min_area : of the outer contour, holes included, in px² between the centres of its pixels.
    most : at most this many boxes.
    """
    if image.min() == image.max():
        return _largest([], min_area, most)
    top = float(np.iinfo(image.dtype).max)
    _, bright = cv2.threshold(image, 0, top, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    outlines, _ = cv2.findContours((bright > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = [(cv2.contourArea(o), cv2.boundingRect(o)) for o in outlines]
    return _largest(found, min_area, most)


def boxes_of_masks(masks: NDArray[Any], min_area: float, most: int) -> Boxes:
    """Return the boxes around labelled areas (0 is background), the largest first.

    Parameters
    ----------
    masks : integers, shape (h, w).
    min_area : in px².
    most : at most this many boxes.
    """
    found = []
    for label in np.unique(masks[masks > 0]):
        cell = (masks == label).astype(np.uint8)
        found.append((float(cell.sum()), cv2.boundingRect(cell)))
    return _largest(found, min_area, most)


def _largest(found: list[tuple[float, Any]], min_area: float, most: int) -> Boxes:
    kept = sorted((-area, tuple(box)) for area, box in found if area >= min_area)[:most]
    return np.array([box for _, box in kept], np.int64).reshape(-1, 4)


def _square(box: NDArray[np.int64], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the square around a box with a margin, shifted into the image, cropped if larger than it."""
    left, top, width, height = box.tolist()
    side = round(max(width, height) * (1 + 2 * _MARGIN))
    side_y, side_x = min(side, shape[0]), min(side, shape[1])
    x = min(max(0, left + (width - side_x) // 2), shape[1] - side_x)
    y = min(max(0, top + (height - side_y) // 2), shape[0] - side_y)
    return x, y, side_x, side_y


def _cellpose(run: Run) -> Callable[[NDArray[Any], float, int], Boxes]:
    """Load Cellpose's cyto2 with the published thresholds."""
    try:
        from cellpose import models  # type: ignore[import-not-found,unused-ignore]  # an extra
    except ImportError as error:
        raise DataError(
            "segmentation: cellpose is not installed; `pip install cutjoin[cellpose]`, or use "
            "segmentation: otsu"
        ) from error
    model = models.CellposeModel(gpu=run.device != "cpu", model_type="cyto2")

    def find(image: NDArray[Any], min_area: float, most: int) -> Boxes:
        masks = model.eval(image, diameter=None, flow_threshold=0.6, cellprob_threshold=-5.0)[0]
        return boxes_of_masks(np.asarray(masks), min_area, most)

    return find
