"""Image sets on disk, and images prepared for methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.interfaces import Json

if TYPE_CHECKING:
    import pandas as pd

    from bench.interfaces import Labels


class BadImage(DataError):
    """One image that cannot be used; the rest of the set can."""


class ImageSet(ABC):
    """Images of one dataset, not yet decoded, plus one row of metadata each.

    Attributes
    ----------
    table : one row per image. Columns: `id` (str, unique), `label` (str, or missing where unknown),
        `split` (str, optional), and any group columns (bag, day, plate...).
    channels : number of channels of every image after reading.
    dtype : uint8 or uint16.
    fill : value that pads images to a square; "border" is the median of each image's own border.
    group : column of `table` with the groups for `normalise: per_group`; "" if there are none.
    notes : findings about the set to store in the record, by name: duplicates with two labels,
        files ignored, records skipped...
    """

    table: pd.DataFrame
    channels: int
    dtype: type[np.uint8] | type[np.uint16] = np.uint8
    fill: int | Literal["border"] = 0
    group: str = ""
    notes: Mapping[str, Json] = {}

    @abstractmethod
    def read(self, row: int) -> NDArray[Any]:
        """Decode one image to shape (height, width, channels). Raises `BadImage`; thread-safe."""

    def read_many(self, rows: range) -> Iterator[NDArray[Any] | BadImage]:
        """Decode consecutive images, in order; yield a `BadImage` for a bad one. Thread-safe.

        Override where neighbours share a file. Yielded arrays may be views.
        """
        for row in rows:
            try:
                yield self.read(row)
            except BadImage as e:
                yield e

    def misfit(self, row: int, image: NDArray[Any]) -> BadImage | None:
        """Return how a decoded image differs from what the set promises of all of them, if it does."""
        if not image.size:
            return BadImage(f"{self.where(row)}: has no pixels")
        if image.dtype == self.dtype and image.shape[2:] == (self.channels,):
            return None
        found = "x".join(map(str, image.shape[2:]))
        what = f"{found} channels of {image.dtype}, the set {self.channels} of {np.dtype(self.dtype)}"
        return BadImage(f"{self.where(row)}: has {what}")

    def where(self, row: int) -> str:
        """Return where an image comes from, for messages."""
        return str(self.table["id"].iloc[row])


@dataclass(frozen=True)
class Prepared:
    """Decoded square images, as encoders, pair models and classifiers see them.

    Attributes
    ----------
    pixels : uint8 or uint16, shape (n, channels, size, size); a read-only memory map. May be a
        larger array than the images selected: use `rows`, `batch` or `batches`.
    rows : int64, shape (n,): the rows of `pixels` that belong to this selection, in order.
    ids : str per image.
    classes : names of the classes, sorted; position = class index.
    labels : class index per image, -1 where unknown; None unless the adapter declares `uses_labels`.
    """

    pixels: NDArray[Any]
    rows: NDArray[np.int64]
    ids: Sequence[str]
    classes: Sequence[str] = ()
    labels: Labels | None = None

    def __len__(self) -> int:
        return int(self.rows.size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        c, h, w = self.pixels.shape[1:]
        return int(c), int(h), int(w)

    def batch(self, start: int, stop: int) -> NDArray[Any]:
        """Return images start to stop - 1 of the selection, copied into memory.

        Shape (up to stop - start, channels, size, size), dtype of `pixels`; fewer at the end.
        """
        return np.asarray(self.pixels[self.rows[start:stop]])

    def batches(self, size: int) -> Iterator[NDArray[Any]]:
        """Yield the images in order, at most `size` at a time; see `batch`."""
        for start in range(0, len(self), size):
            yield self.batch(start, start + size)
