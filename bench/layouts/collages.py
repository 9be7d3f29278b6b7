"""Images that are boxes cut out of larger ones, each larger one decoded once for all its neighbours."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.images import BadImage, ImageSet
from bench.imaging.decode import decode
from bench.interfaces import Json

CACHE_BYTES = 256 << 20
"""Bytes of decoded collages to cache, besides those in use: one per thread."""
BACKGROUND = 166
"""Grey value outside of masks where padding is taken from the images' borders."""
_AHEAD = 16
"""A thread that would have to wait for a collage decodes one of this many next ones instead."""


class Collages(ImageSet):
    """Boxes of collages (uint8), all grey or all RGB.

    Parameters
    ----------
    table : see `ImageSet`.
    files : of the collages; with the mask of each, or None to leave pixels as they are. A mask is an
        image of the collage's size; where it is 0, the collage becomes `fill` (`BACKGROUND` for "border").
    file : int, shape (n,): position in `files`. Neighbours should share it.
    boxes : int, shape (n, 4): x, y, width and height of each image in its collage, in px.
    tables, record : the tables that list the images, and for each image, shape (n, 2), the position
        in `tables` and the line: where an image comes from.
    raw_area : shape (n,): number of pixels of each image that its mask should have; nan if unknown.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        files: Sequence[tuple[Path, Path | None]],
        file: NDArray[np.int64],
        boxes: NDArray[np.int64],
        *,
        tables: Sequence[Path],
        record: NDArray[np.int64],
        raw_area: NDArray[np.float64],
        grey: bool,
        fill: int | Literal["border"],
        group: str,
        notes: Mapping[str, Json],
    ) -> None:
        self.table = table
        self.channels = 1 if grey else 3
        self.fill = fill
        self.group = group
        self.notes = notes
        self.files = files
        self.file = file
        self.boxes = boxes
        self.tables = tables
        self.record = record
        self.raw_area = raw_area
        self._decoded: dict[int, Future[NDArray[Any] | BadImage]] = {}
        self._lock = threading.Lock()

    def read(self, row: int) -> NDArray[Any]:
        """Return one box."""
        image = next(self.read_many(range(row, row + 1)))
        if isinstance(image, BadImage):
            raise image
        return image

    def read_many(self, rows: range) -> Iterator[NDArray[Any] | BadImage]:
        """Yield the boxes as views of their collages."""
        if not rows:
            return
        chosen = np.asarray(rows)
        at = -1
        pixels: NDArray[Any] | BadImage
        for row, file, (x, y, width, height) in zip(
            rows, self.file[chosen].tolist(), self.boxes[chosen].tolist(), strict=True
        ):
            if file != at:
                at, pixels = file, self._collage(file)
            if isinstance(pixels, BadImage):
                yield BadImage(f"{self.where(row)}: {pixels}")
            elif y + height > pixels.shape[0] or x + width > pixels.shape[1]:
                yield BadImage(
                    f"{self.where(row)}: its crop of {width} x {height} px at ({x}, {y}) extends beyond "
                    f"the collage {self.files[file][0].name} of {pixels.shape[1]} x {pixels.shape[0]} px"
                )
            else:
                yield pixels[y : y + height, x : x + width]

    def where(self, row: int) -> str:
        """Return the table and the line that list the image."""
        table, line = self.record[row]
        return f"{self.tables[table]}:{line}"

    def _collage(self, file: int) -> NDArray[Any] | BadImage:
        """Return a decoded collage, or why it cannot be used; each is decoded by one thread only."""
        while True:
            with self._lock:
                wanted = self._decoded.get(file)
                todo = file if wanted is None else self._next_after(file) if not wanted.done() else None
                if todo is not None:
                    mine = self._decoded[todo] = Future()
            if todo is None:
                assert wanted is not None
                return wanted.result()
            try:
                result = self._decode(todo)
            except BaseException as e:
                with self._lock:
                    del self._decoded[todo]
                mine.set_exception(e)  # or threads that wait for it would block forever
                raise
            mine.set_result(result)
            self._forget(keep=file)
            if todo == file:
                return result

    def _next_after(self, file: int) -> int | None:
        ahead = range(file + 1, min(file + 1 + _AHEAD, len(self.files)))
        return next((i for i in ahead if i not in self._decoded), None)

    def _forget(self, keep: int) -> None:
        """Drop the collages decoded first until the rest fits."""
        with self._lock:
            done = {i: f.result() for i, f in self._decoded.items() if f.done()}
            sizes = {i: 0 if isinstance(r, BadImage) else r.nbytes for i, r in done.items()}
            total = sum(sizes.values())
            for i, size in sizes.items():
                if total <= CACHE_BYTES:
                    return
                if i != keep:
                    del self._decoded[i]
                    total -= size

    def _decode(self, file: int) -> NDArray[Any] | BadImage:
        path, mask_path = self.files[file]
        try:
            pixels = _of_bytes(decode(path, grey=self.channels == 1), path)
            if mask_path is not None:
                mask = _of_bytes(decode(mask_path, grey=True), mask_path)
                if mask.shape[:2] != pixels.shape[:2]:
                    return BadImage(f"{mask_path}: the mask is not of the collage's size")
                outside = BACKGROUND if self.fill == "border" else self.fill
                np.copyto(pixels, outside, where=mask == 0)
        except BadImage as e:
            return e
        pixels.flags.writeable = False
        return pixels


def mask_areas(images: Collages, masks: Sequence[Path | None]) -> NDArray[np.int64]:
    """Count the mask's pixels that are not 0 in each box; -1 without a mask or outside of it.

    Parameters
    ----------
    masks : the mask of each of `images.files`, or None.

    Raises
    ------
    BadImage : a mask cannot be read.
    """
    areas = np.full(len(images.file), -1, np.int64)
    order = np.argsort(images.file, kind="stable")
    ends = np.searchsorted(images.file[order], np.arange(len(masks) + 1))
    for i, path in enumerate(masks):
        rows = order[ends[i] : ends[i + 1]]
        if path is None or not rows.size:
            continue
        mask = decode(path, grey=True)[..., 0]
        for row, (x, y, width, height) in zip(rows.tolist(), images.boxes[rows].tolist(), strict=True):
            if y + height <= mask.shape[0] and x + width <= mask.shape[1]:
                areas[row] = np.count_nonzero(mask[y : y + height, x : x + width])
    return areas


def _of_bytes(image: NDArray[Any], path: Path) -> NDArray[Any]:
    if image.dtype != np.uint8:
        raise BadImage(f"{path}: has pixels of type {image.dtype}; expected 8 bits")
    return image
