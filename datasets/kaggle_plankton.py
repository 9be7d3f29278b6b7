"""Plankton of the National Data Science Bowl: `train/<class>/<id>.jpg`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from bench.folders import Listing, class_names, identical_files, list_images
from bench.interfaces import DataError, Dataset, Json
from bench.selection import match_names

if TYPE_CHECKING:
    from bench.images import ImageSet

_Names = Annotated[tuple[str, ...], Field(min_length=1)]


class KagglePlankton(Dataset):
    """Reads the labelled images (grey, white background) of `train/`, or of a folder of class folders.

    An image's id is its file name without `.jpg`. Images with the same content are reported.
    """

    source: ClassVar[str] = "National Data Science Bowl (Kaggle, 2015); PlanktonSet 1.0, doi:10.7289/V5D21VJD"
    generator: ClassVar[str] = "plankton"

    classes: _Names | None = None
    """Classes to read, by name or pattern (`copepod_*`); all by default."""
    exclude_classes: _Names | None = None
    """Classes not to read, by name or pattern."""

    def files(self, root: Path) -> Sequence[Path]:
        """List the images of the classes read."""
        return self._list(root).paths

    def open(self, root: Path) -> ImageSet:
        """Read the names of the images and their folders, and look for images with the same content."""
        from bench.fileset import FileSet

        found = self._list(root)
        names, labels = zip(*found.files, strict=True)
        ids = [PurePosixPath(name).stem for name in names]
        _check_unique(ids, names, found.root)
        notes = {**found.notes(), **_duplicates(found)}
        return FileSet(ids, labels, found.paths, grey=True, fill=255, notes=notes)

    def _list(self, root: Path) -> Listing:
        folder = _class_folders(root)
        known = class_names(folder)
        wanted = match_names(self.classes, known) if self.classes else set(known)
        if self.exclude_classes:
            wanted -= match_names(self.exclude_classes, known)
        found = list_images(folder, {".jpg"}, wanted)
        if not found.files:
            raise DataError(f"{root}: no image <class>/<id>.jpg of {len(wanted)} classes in {folder}")
        return found


def _class_folders(root: Path) -> Path:
    if not root.is_dir():
        raise DataError(
            f"{root}: is not a folder; kaggle_plankton needs the one that holds train/<class>/<id>.jpg"
        )
    for folder in (root / "train", root / "kaggle_plankton" / "train", root / "kaggle_plankton"):
        if folder.is_dir() and folder.resolve().is_relative_to(root.resolve()):
            return folder
    return root


def _check_unique(ids: Sequence[str], names: Sequence[str], folder: Path) -> None:
    first: dict[str, str] = {}
    for image, name in zip(ids, names, strict=True):
        if first.setdefault(image, name) != name:
            raise DataError(
                f"{folder}: {first[image]} and {name} share the id {image!r}; rename or remove one"
            )


def _duplicates(found: Listing) -> dict[str, Json]:
    groups = identical_files(found.paths)
    named: list[Json] = [[found.files[i][0] for i in group] for group in groups]
    torn: list[Json] = [
        [found.files[i][0] for i in group] for group in groups if len({found.files[i][1] for i in group}) > 1
    ]
    notes: dict[str, Json] = {"identical images": named, "identical images with two labels": torn}
    return {what: groups for what, groups in notes.items() if groups}
