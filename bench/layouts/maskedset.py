"""Images of one file each, each with a mask that marks the object's pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.images import BadImage
from bench.imaging.decode import decode
from bench.interfaces import Json
from bench.layouts.fileset import FileSet


class MaskedSet(FileSet):
    """Colour images of 16 bits; where a mask is 0 the image becomes 0.

    Parameters
    ----------
    masks : of each image; None leaves the image as it is. Of a mask with colours or transparency their
        grey value counts.
    bgr : whether the files hold blue first.
    """

    def __init__(
        self,
        ids: Sequence[str],
        labels: Sequence[str | None],
        paths: Sequence[Path],
        masks: Sequence[Path | None],
        *,
        bgr: bool,
        notes: Mapping[str, Json],
    ) -> None:
        super().__init__(ids, labels, paths, grey=False, fill=0, dtype=np.uint16, notes=notes)
        self._masks = masks
        self._bgr = bgr

    def read(self, row: int) -> NDArray[Any]:
        """Decode one image to RGB. Grey images, and masks of another size, count as bad."""
        image = super().read(row)
        name = self.where(row)
        if (image == image[..., :1]).all():
            raise BadImage(f"{name}: has no colours: its channels are equal; expected three different ones")
        path = self._masks[row]
        if path is not None:
            mask = decode(path, grey=True)
            if mask.shape[:2] != image.shape[:2]:
                raise BadImage(f"{name}: is {image.shape[:2]} (height, width), its mask {mask.shape[:2]}")
            image = image * (mask > 0)
        return image[..., ::-1] if self._bgr else image
