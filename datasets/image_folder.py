"""A folder of class folders with images, or one flat folder of images without classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.errors import DataError
from bench.interfaces import Dataset, Unit
from bench.layouts.folders import Listing, list_images

if TYPE_CHECKING:
    from bench.images import ImageSet

_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp"})
_MAY_HAVE_16_BITS = (".png", ".tif", ".tiff")


_MIXED = "images of 8 bits among those of 16, scaled to 16"


class ImageFolder(Dataset):
    """Reads `<class>/<any name>` (JPEG, PNG, BMP, WebP or TIFF); images directly in the folder have no label.

    An image's id is its path below the folder. Deeper folders are not searched.
    """

    version: ClassVar[int] = 2

    grey: bool = False
    """Read one channel instead of the three of RGB."""
    depth: Annotated[Literal["auto", 8, 16], Unit("bit")] = "auto"
    """Bits of every channel. "auto" is 16 if any image has 16, else 8. In a set of 16 bits images of 8 are
    scaled (255 becomes 65535); in one of 8, images of 16 count as bad."""
    fill: Literal["border"] | Annotated[int, Field(ge=0, le=65535)] = "border"
    """Value that pads images to a square: that of the background. "border" is the median of each image's
    outermost pixels, per channel. Where aspect ratio and size of the objects do not matter, or images are
    cropped tightly around them, `shape: stretch` needs no padding."""

    @model_validator(mode="after")
    def _fill_fits(self) -> Self:
        if self.depth != "auto" and self.fill != "border" and self.fill >= 2**self.depth:
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
        notes = found.notes()
        depth = self.depth
        if depth == "auto":
            deep = [name for name, path in zip(ids, found.paths, strict=True) if _has_16_bits(path)]
            depth = 16 if deep else 8
            if 0 < len(deep) < len(ids):
                notes[_MIXED] = {"of 16": len(deep), "of 8": len(ids) - len(deep), "first of 16": deep[:10]}
        if self.fill != "border" and self.fill >= 2**depth:
            raise DataError(f"{root}: fill {self.fill} does not fit into the {depth} bits of the images")
        return FileSet(
            ids,
            labels,
            found.paths,
            grey=self.grey,
            fill=self.fill,
            dtype=np.uint8 if depth == 8 else np.uint16,
            widen=True,
            notes=notes,
        )

    def _list(self, root: Path) -> Listing:
        found = list_images(root, _SUFFIXES)
        if not found.files:
            raise DataError(f"{root}: holds no images ({', '.join(sorted(_SUFFIXES))}), nor do its folders")
        return found


def _has_16_bits(path: Path) -> bool:
    from bench.imaging.header import has_16_bits

    return path.suffix.lower() in _MAY_HAVE_16_BITS and has_16_bits(path)
