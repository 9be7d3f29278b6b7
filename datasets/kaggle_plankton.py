"""Plankton of the National Data Science Bowl: `train/<class>/<id>.jpg`, or the same images as parquet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from bench.adapters.origin import Check, Download, Origin
from bench.errors import DataError
from bench.imaging.selection import match_names
from bench.interfaces import Dataset, Json
from bench.layouts.folders import Listing, class_names, identical_files, list_images, within

if TYPE_CHECKING:
    from bench.images import ImageSet

_Names = Annotated[tuple[str, ...], Field(min_length=1)]
_TWO_LABELS = "identical images with two labels"


class KagglePlankton(Dataset):
    """Reads the labelled images (grey, white background) of `train/`, of a folder of class folders, or of the
    parquet files in the folder or its sub-folder `data`, as PlanktonSet 1.0 is published.

    An image's id is its file name without `.jpg`; in parquet, that of the path stored with it, or, where
    those are missing or repeat, `<file stem>:<row>`. Parquet files named `train-00000-of-00002.parquet`
    give the split `train`. Images with the same content are reported.
    """

    source: ClassVar[str] = "National Data Science Bowl (Kaggle, 2015); PlanktonSet 1.0, doi:10.7289/V5D21VJD"
    generator: ClassVar[str] = "plankton"
    origin: ClassVar[Origin | None] = Origin(
        licence="Kaggle: the rules of the competition (no redistribution). The same imagery is "
        "PlanktonSet 1.0, NOAA NCEI accession 0127422, doi:10.7289/V5D21VJD; its parquet copy is marked "
        "CC BY-NC 4.0.",
        parts=(
            Download(
                name="train",
                command=(
                    *("kaggle", "competitions", "download", "-c", "datasciencebowl"),
                    *("-f", "train.zip", "-p", "{out}"),
                ),
                unpack=True,
                note="76 MB. Needs a Kaggle account whose owner accepted the rules on "
                "kaggle.com/c/datasciencebowl. The unlabelled test.zip (347 MB) is not read.",
            ),
            Download(
                name="parquet",
                command=(
                    *("hf", "download", "project-oceania/planktonset1.0"),
                    *("--repo-type", "dataset", "--local-dir", "{out}"),
                ),
                note="PlanktonSet 1.0 as parquet, instead of train. No number was checked for this copy.",
            ),
        ),
    )

    classes: _Names | None = None
    """Classes to read, by name or pattern (`copepod_*`); all by default."""
    exclude_classes: _Names | None = None
    """Classes not to read, by name or pattern."""

    def files(self, root: Path) -> Sequence[Path]:
        """List the images of the classes read, or all parquet files."""
        return _parquet_files(root)[0] or self._list(root).paths

    def open(self, root: Path) -> ImageSet:
        """Read names and labels, and look for images with the same content (in parquet: read all bytes)."""
        parquet, leading_out = _parquet_files(root)
        if parquet:
            return self._open_parquet(parquet, leading_out)
        from bench.layouts.fileset import FileSet

        found = self._list(root)
        names, labels = zip(*found.files, strict=True)
        ids = [PurePosixPath(name).stem for name in names]
        _check_unique(ids, names, found.root)
        notes = {**found.notes(), **_duplicates(identical_files(found.paths), names, labels)}
        return FileSet(ids, labels, found.paths, grey=True, fill=255, notes=notes)

    def checks(self, root: Path, images: ImageSet) -> Sequence[Check]:
        """Compare with the labelled images of the competition, all 121 classes."""
        sizes = images.table["label"].value_counts()
        torn = images.notes.get(_TWO_LABELS, [])
        return (
            Check("labelled images", 30_336, int(sizes.sum())),
            Check("classes", 121, len(sizes)),
            Check("images of the smallest class", 9, int(sizes.min()) if len(sizes) else 0),
            Check("images of the largest class", 1979, int(sizes.max()) if len(sizes) else 0),
            Check("pairs of identical images with two labels", 1, len(torn) if isinstance(torn, list) else 0),
        )

    def _open_parquet(self, files: Sequence[Path], leading_out: Sequence[str]) -> ImageSet:
        import numpy as np

        from bench.layouts.parquetindex import read_index
        from bench.layouts.parquetset import ParquetSet

        index = read_index(files)
        chosen = self._chosen({label for label in index.labels if label is not None})
        rows = [
            i
            for i, label in enumerate(index.labels)
            if (self.classes is None if label is None else label in chosen)
        ]
        if not rows:
            raise DataError(
                f"{files[0].parent}: no image of {len(chosen)} classes in {len(files)} parquet files"
            )
        images = ParquetSet(index, np.array(rows, np.int64), grey=True, fill=255)
        labels = [index.labels[i] for i in rows]
        names = [f"{index.labels[i] or ''}/{index.ids[i]}" for i in rows]
        notes: dict[str, Json] = _duplicates(images.identical(), names, labels)
        if index.notes:
            notes["labels that were not plain"] = list(index.notes)
        if not index.has_paths:
            notes["ids"] = "file and row: the images' own names are missing or repeat"
        if leading_out:
            notes["links that lead out of the dataset"] = {
                "count": len(leading_out),
                "first": list(leading_out[:10]),
            }
        images.notes = notes
        return images

    def _list(self, root: Path) -> Listing:
        folder = _class_folders(root)
        chosen = self._chosen(class_names(folder))
        found = list_images(folder, {".jpg"}, chosen)
        if not found.files:
            raise DataError(
                f"{root}: no image <class>/<id>.jpg of {len(chosen)} classes in {folder}, and no parquet file"
            )
        return found

    def _chosen(self, known: Collection[str]) -> set[str]:
        chosen = match_names(self.classes, known) if self.classes else set(known)
        return chosen - match_names(self.exclude_classes, known) if self.exclude_classes else chosen


def _class_folders(root: Path) -> Path:
    if not root.is_dir():
        raise DataError(
            f"{root}: is not a folder; kaggle_plankton needs the one that holds train/<class>/<id>.jpg"
        )
    for folder in (root / "train", root / "kaggle_plankton" / "train", root / "kaggle_plankton"):
        if folder.is_dir() and folder.resolve().is_relative_to(root.resolve()):
            return folder
    return root


def _parquet_files(root: Path) -> tuple[list[Path], list[str]]:
    """Return the parquet files, unless there are class folders, and the names of links out of `root`."""
    if (root / "train").is_dir():
        return [], []
    for folder in (root, root / "data"):
        found = sorted(p for p in folder.glob("*.parquet") if not p.name.startswith("."))
        inside = [p for p in found if within(root, p.relative_to(root).as_posix())]
        if inside:
            return inside, [p.relative_to(root).as_posix() for p in found if p not in inside]
    return [], []


def _check_unique(ids: Sequence[str], names: Sequence[str], folder: Path) -> None:
    first: dict[str, str] = {}
    for image, name in zip(ids, names, strict=True):
        if first.setdefault(image, name) != name:
            raise DataError(
                f"{folder}: {first[image]} and {name} share the id {image!r}; rename or remove one"
            )


def _duplicates(
    groups: Sequence[Sequence[int]], names: Sequence[str], labels: Sequence[str | None]
) -> dict[str, Json]:
    named: list[Json] = [[names[i] for i in group] for group in groups]
    torn: list[Json] = [[names[i] for i in group] for group in groups if len({labels[i] for i in group}) > 1]
    notes: dict[str, Json] = {"identical images": named, _TWO_LABELS: torn}
    return {what: groups for what, groups in notes.items() if groups}
