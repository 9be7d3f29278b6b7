"""Images that lie in parquet files, row groups read on demand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from bench.errors import DataError
from bench.images import BadImage, ImageSet
from bench.imaging.decode import decode
from bench.layouts.parquetindex import DAMAGE, ParquetIndex, RowGroup, open_file, reason

MAX_GROUP_BYTES = 1 << 30
"""A row group with more bytes of images is not read: groups are held in memory whole."""

_CACHED_BYTES = 256 << 20
_ROWS = 64


class ParquetSet(ImageSet):
    """Rows of parquet files. A row group is read when one of its images is needed;
    about 256 MiB of them are cached, or the last one if it is larger.
    """

    def __init__(self, index: ParquetIndex, rows: NDArray[np.int64], *, grey: bool, fill: int) -> None:
        def column(values: Sequence[str | None]) -> Any:
            return pd.array([values[i] for i in rows], dtype="str")

        self.table = pd.DataFrame({"id": column(index.ids), "label": column(index.labels)})
        if any(index.splits):
            self.table["split"] = column(index.splits)
        self.channels = 1 if grey else 3
        self.fill = fill
        self._groups, self._group = index.groups, index.group[rows]
        starts = np.searchsorted(index.group, np.arange(len(index.groups)))
        self._place = rows - starts[self._group]
        self._cache: OrderedDict[int, pa.ChunkedArray | BadImage] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, row: int) -> NDArray[Any]:
        """Decode one image; see `bench.imaging.decode`. An unreadable row group makes all its images bad."""
        name, data = self.where(row), self._bytes(row)
        if data is None:
            raise BadImage(f"{name}: holds no image; a path alone is not followed")
        return decode(data, grey=self.channels == 1, name=name)

    def where(self, row: int) -> str:
        """Return the file and the row in it, counted from 0."""
        group = self._groups[self._group[row]]
        return f"{group.path}: row {group.first + self._place[row]}"

    def identical(self) -> list[list[int]]:
        """Return the groups of rows whose images are the same bytes, in order. Reads all images.

        Images that are empty or cannot be read do not count.
        """
        found: dict[bytes, list[int]] = {}
        for row in range(len(self.table)):
            try:
                data = self._bytes(row)
            except BadImage:
                continue
            if data:
                found.setdefault(xxhash.xxh3_128_digest(data), []).append(row)
        return [rows for rows in found.values() if len(rows) > 1]

    def _bytes(self, row: int) -> bytes | None:
        number = int(self._group[row])
        with self._lock:
            if number not in self._cache:
                self._cache[number] = _images(self._groups[number])
                self._forget()
            self._cache.move_to_end(number)
            images = self._cache[number]
        if isinstance(images, BadImage):
            raise BadImage(f"{self.where(row)}: {images}")
        value: bytes | None = images[int(self._place[row])].as_py()
        return value

    def _forget(self) -> None:
        """Drop the least recently used groups, but never the newest."""
        sizes = [0 if isinstance(v, BadImage) else v.nbytes for v in self._cache.values()]
        while len(sizes) > 1 and sum(sizes) > _CACHED_BYTES:
            self._cache.popitem(last=False)
            del sizes[0]


def _images(group: RowGroup) -> pa.ChunkedArray | BadImage:
    """Return the bytes of the images of a row group, or why they cannot be read."""
    outer, _, inner = group.column.partition(".")
    chunks: list[pa.Array] = []
    size = 0
    try:
        with open_file(group.path) as f:
            for batch in f.iter_batches(
                _ROWS, row_groups=[group.number], columns=[group.column], use_threads=False
            ):
                column = batch.column(outer)
                chunks.append(pc.struct_field(column, inner) if inner else column)
                size += chunks[-1].nbytes
                if size > MAX_GROUP_BYTES:
                    return BadImage(f"row group {group.number} is larger than {MAX_GROUP_BYTES} bytes")
    except DataError as e:
        return BadImage(str(e))
    except DAMAGE as e:
        return BadImage(f"row group {group.number}: {reason(group.path, e)}")
    if sum(map(len, chunks)) != group.rows:
        return BadImage(f"row group {group.number} has {sum(map(len, chunks))} images, not {group.rows}")
    return pa.chunked_array(chunks)
