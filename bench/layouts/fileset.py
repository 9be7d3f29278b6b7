"""Image sets of one file per image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.images import ImageSet
from bench.imaging.decode import decode
from bench.interfaces import Json


class FileSet(ImageSet):
    """Images that are one file each, all grey or all RGB.

    Parameters
    ----------
    ids : unique, one per image, in any order; results list images by them.
    labels : class per image, None where unknown.
    paths : absolute, one per image.
    grey : read one channel instead of the three of RGB.
    fill : value that pads images to a square: that of the background, or "border" (see `ImageSet`).
    dtype : uint8 or uint16; images of another depth are bad.
    widen : whether images of 8 bits in a set of 16 are scaled (255 becomes 65535) instead of being bad.
    notes : findings that the record should hold, by name, e.g. {"ignored": 3}; {} for none.

    Columns of a dataset's own (day, plate...) go into `table` afterwards.
    """

    def __init__(
        self,
        ids: Sequence[str],
        labels: Sequence[str | None],
        paths: Sequence[Path],
        *,
        grey: bool,
        fill: int | Literal["border"],
        dtype: type[np.uint8] | type[np.uint16] = np.uint8,
        widen: bool = False,
        notes: Mapping[str, Json],
    ) -> None:
        self.table = pd.DataFrame({"id": pd.array(ids, dtype="str"), "label": pd.array(labels, dtype="str")})
        self.channels = 1 if grey else 3
        self.dtype = dtype
        self.fill = fill
        self.notes = notes
        self._paths = paths
        self._widen = widen and dtype is np.uint16

    def read(self, row: int) -> NDArray[Any]:
        """Decode one image; see `bench.imaging.decode.decode`."""
        image = decode(self._paths[row], grey=self.channels == 1)
        return image * np.uint16(257) if self._widen and image.dtype == np.uint8 else image

    def where(self, row: int) -> str:
        """Return the path of the image."""
        return str(self._paths[row])
