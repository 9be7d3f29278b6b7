"""The file of a prepared set's pixels, written block by block.

It is read and written like any file, not mapped into memory: pages of a map count as memory of the
process until the system takes them back, and a full disk would end the process with a signal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[Any]


class PixelFile:
    """A new .npy file of images of one shape; as a context manager it closes itself, complete or not.

    `read` and `write` may be called from several threads.

    Parameters
    ----------
    path : the file; overwritten.
    image : shape of one image.
    dtype : of the pixels.
    """

    def __init__(self, path: Path, image: tuple[int, ...], dtype: type[np.unsignedinteger[Any]]) -> None:
        self.image, self.dtype = image, np.dtype(dtype)
        self.image_bytes = int(np.prod(image)) * self.dtype.itemsize
        self.n = 0
        self._file = path.open("w+b", buffering=0)
        self._start = self._header()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, block: Pixels) -> None:
        """Add images, shape (k, *image), after the existing ones."""
        self._put(block, self.n)
        self.n += len(block)

    def finish(self) -> None:
        """Write into the header how many images there are."""
        if self._header() != self._start:  # numpy pads the header, so that the number may grow
            raise AssertionError("the header of a .npy file changed its length")

    def read(self, rows: NDArray[np.int64]) -> Pixels:
        """Return a copy of the images in these rows, which are distinct and sorted."""
        block = np.empty((len(rows), *self.image), self.dtype)
        for first, last in _stretches(rows):
            part = _bytes_of(block[first:last])
            if os.preadv(self._file.fileno(), [part], self._offset(int(rows[first]))) != len(part):
                raise OSError(f"{self._file.name}: ends early")
        return block

    def write(self, rows: NDArray[np.int64], block: Pixels) -> None:
        """Replace the images in these rows, which are distinct and sorted."""
        for first, last in _stretches(rows):
            self._put(block[first:last], int(rows[first]))

    def _put(self, block: Pixels, row: int) -> None:
        part = _bytes_of(np.ascontiguousarray(block))
        at = self._offset(row)
        while part:  # a full disk writes a part and refuses the rest
            written = os.pwrite(self._file.fileno(), part, at)
            part, at = part[written:], at + written

    def _offset(self, row: int) -> int:
        return self._start + row * self.image_bytes

    def _header(self) -> int:
        self._file.seek(0)
        descr = np.lib.format.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.n, *self.image)}
        np.lib.format.write_array_header_1_0(self._file, header)
        return self._file.tell()


def _bytes_of(block: Pixels) -> memoryview:
    return block.reshape(-1).view(np.uint8).data


def _stretches(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield where stretches of consecutive numbers start and stop."""
    ends = [*(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
    if len(rows):
        yield from zip([0, *ends[:-1]], ends, strict=True)
