"""A folder of class folders with images, or one flat folder of images without classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.errors import DataError
from bench.interfaces import Dataset, Unit
from bench.layouts.folders import Listing, list_images

if TYPE_CHECKING:
    from bench.images import ImageSet

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


class ImageFolder(Dataset):
    """Reads `<class>/<any name>` (JPEG, PNG, BMP or TIFF); images directly in the folder have no label.

    An image's id is its path below the folder. Deeper folders are not searched.
    """

    grey: bool = False
    """Read one channel instead of the three of RGB."""
    depth: Annotated[Literal[8, 16], Unit("bit")] = 8
    """Bits of every channel; images of another depth count as bad."""
    fill: Annotated[int, Field(ge=0, le=65535)] = 0
    """Value that pads images to a square: that of the background."""

    @model_validator(mode="after")
    def _fill_fits(self) -> Self:
        if self.fill >= 2**self.depth:
            raise ValueError(f"fill {self.fill} does not fit into {self.depth} bits")
        return self

    def files(self, root: Path) -> Sequence[Path]:
        """List the images."""
        return self._list(root).paths

    def open(self, root: Path) -> ImageSet:
        """Read the names of the images and their folders."""
        import numpy as np

        from bench.layouts.fileset import FileSet

        found = self._list(root)
        ids, labels = zip(*found.files, strict=True)
        dtype = np.uint8 if self.depth == 8 else np.uint16
        return FileSet(
            ids, labels, found.paths, grey=self.grey, fill=self.fill, dtype=dtype, notes=found.notes()
        )

    def _list(self, root: Path) -> Listing:
        found = list_images(root, _SUFFIXES)
        if not found.files:
            raise DataError(f"{root}: holds no images ({', '.join(sorted(_SUFFIXES))}), nor do its folders")
        return found
