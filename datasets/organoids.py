"""Segmented organoids: `train-100`, `test-100`, `test-30` and `test-unlabeled`, one TIFF each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.adapters.origin import Check, Origin
from bench.errors import DataError
from bench.interfaces import Dataset, Json, Unit
from bench.layouts.folders import identical_files, list_images

if TYPE_CHECKING:
    from bench.images import ImageSet

_SUBSETS: Mapping[str, str | None] = {
    "train-100": "seen",
    "test-100": "seen",
    "test-30": "unseen",
    "test-unlabeled": None,
}


class Organoids(Dataset):
    """Reads `<split>/<any name>_<number>.tif` (16 bits, RGB); the class is number // 100, written as text.

    Columns beside id (`<split>/<number>`) and label: `split`, the folder, and `subset`: "seen" in train-100
    and test-100, whose classes are the same, "unseen" in test-30, missing in test-unlabeled. Images of
    test-unlabeled have no class, and their file name as id. Rows stand in the order of splits above, then of
    numbers. Masks are the files `<any name>_<number>_mask.tif`.

    The authors, too, pad with 0 to a square and scale to 256 px, but by half the difference of the sides on
    both sides, rounded down, so that an odd difference leaves them 1 px off; here the rest goes below or to
    the right.
    """

    source: ClassVar[str] = "Presberger et al., GCPR 2024; doi:10.25532/OPARA-598"
    generator: ClassVar[str] = "organoids"
    origin: ClassVar[Origin | None] = Origin(
        licence="as stated on the page of the data, doi:10.25532/OPARA-598",
        by_hand="Open https://doi.org/10.25532/OPARA-598 in a browser, download the images, and unpack them "
        "so that the data folder, or a folder `data` in it, holds train-100, test-100, test-30 and, if "
        "wanted, test-unlabeled, each with files <name>_<number>.tif and <name>_<number>_mask.tif.",
    )

    size: Annotated[int, Unit("px"), Field(ge=4, le=4096)] = 256
    """Side of the square prepared image."""
    mask: Literal["apply", "ignore"] = "ignore"
    """Make pixels outside the mask 0, or leave the image as it is: the authors' files already are 0 there.
    An image without a mask stays as it is, and is reported."""
    channels: Literal["rgb", "bgr"] = "rgb"
    """Order of the channels in the files (whichever it is, methods see red first)."""

    def files(self, root: Path) -> Sequence[Path]:
        """List the images and, if they are applied, their masks."""
        found = self._found(root)
        masks = [f.mask for f in found.images if f.mask is not None] if self.mask == "apply" else []
        return sorted([*(f.path for f in found.images), *masks])

    def open(self, root: Path) -> ImageSet:
        """Read the names of the files, and look for images with the same content.

        Raises `DataError` if two images of a split have the same number.
        """
        import pandas as pd

        from bench.layouts.maskedset import MaskedSet

        found = self._found(root)
        files = found.images
        notes = dict(found.notes)
        groups = identical_files([f.path for f in files])
        if groups:
            notes["identical images"] = [[files[i].name for i in group] for group in groups]
        images = MaskedSet(
            [f.id for f in files],
            [f.label for f in files],
            [f.path for f in files],
            [f.mask if self.mask == "apply" else None for f in files],
            bgr=self.channels == "bgr",
            notes=notes,
        )
        images.table["split"] = pd.array([f.split for f in files], dtype="str")
        images.table["subset"] = pd.array([_SUBSETS[f.split] for f in files], dtype="str")
        return images

    def checks(self, root: Path, images: ImageSet) -> Sequence[Check]:
        """Compare numbers of images and classes with those of the three labelled folders."""
        return [check for split in _SUBSETS for check in _checks(split, images)]

    def _found(self, root: Path) -> _Found:
        folder = next((d for d in (root, root / "data") if _splits(root, d)), None)
        if folder is None:
            raise DataError(f"{root}: holds none of the folders {', '.join(_SUBSETS)}, nor does its `data`")
        splits = _splits(root, folder)
        listing = list_images(folder, {".tif", ".tiff"}, splits)
        found = _sorted_out(folder, [name for name, _ in listing.files])
        if not found.images:
            raise DataError(f"{folder}: no image <name>_<number>.tif in {', '.join(splits)}")
        absent = [split for split in _SUBSETS if split not in splits]
        notes = {**listing.notes(), **found.notes, **({"folders not there": absent} if absent else {})}
        if self.mask == "ignore":
            notes.pop(_NO_MASK, None)
        return _Found(found.images, notes)


_NO_MASK = "images without a mask"


@dataclass(frozen=True)
class _File:
    split: str
    number: int
    id: str
    label: str | None
    path: Path
    name: str
    """Path below the folder of the splits."""
    mask: Path | None


@dataclass(frozen=True)
class _Found:
    images: Sequence[_File]
    notes: Mapping[str, Json]


def _splits(root: Path, folder: Path) -> list[str]:
    inside = folder.is_dir() and folder.resolve().is_relative_to(root.resolve())
    return [split for split in _SUBSETS if inside and (folder / split).is_dir()]


def _sorted_out(folder: Path, names: Iterable[str]) -> _Found:
    """Separate images from masks, and parse their names."""
    by_stem: dict[str, str] = {}
    masks: dict[str, str] = {}
    for name in names:
        stem = name.rpartition(".")[0]
        kind, stem = (masks, stem.removesuffix("_mask")) if stem.endswith("_mask") else (by_stem, stem)
        if kind.setdefault(stem, name) != name:
            raise DataError(f"{folder}: {kind[stem]} and {name} differ in their ending only; remove one")
    images: dict[str, _File] = {}
    skipped: list[str] = []
    for stem, name in by_stem.items():
        mask = folder / masks[stem] if stem in masks else None
        file = _file(folder / name, name, mask)
        if file is None:
            skipped.append(name)
        elif images.setdefault(file.id, file) is not file:
            raise DataError(
                f"{folder}: {images[file.id].name} and {name} share the id {file.id!r}; rename or remove one"
            )
    order = list(_SUBSETS)
    files = sorted(images.values(), key=lambda f: (order.index(f.split), f.number, f.id))
    alone = [masks[stem] for stem in masks.keys() - by_stem.keys()]
    without = [f.name for f in files if f.mask is None]
    listed = {"names without a number": skipped, "masks without an image": alone, _NO_MASK: without}
    return _Found(
        files, {k: {"count": len(v), "first": list(sorted(v)[:10])} for k, v in listed.items() if v}
    )


def _file(path: Path, name: str, mask: Path | None) -> _File | None:
    """Parse a file name; None if it lacks a required number."""
    split, stem = PurePosixPath(name).parent.name, path.stem
    digits = stem.rpartition("_")[2]
    number = int(digits) if digits.isascii() and digits.isdigit() else -1
    if _SUBSETS[split] is None:
        return _File(split, number, f"{split}/{stem}", None, path, name, mask)
    if number < 0:
        return None
    return _File(split, number, f"{split}/{number}", str(number // 100), path, name, mask)


def _checks(split: str, images: ImageSet) -> Iterable[Check]:
    table = images.table
    labels = {s: table["label"][table["split"] == s].astype(int) for s in _SUBSETS if _SUBSETS[s]}
    if split not in labels:
        return
    wanted = range(11, 14) if split == "test-30" else range(1, 11)
    sizes = labels[split].value_counts()
    yield Check(f"images in {split}", 10 * len(wanted), len(labels[split]))
    yield Check(f"classes in {split}", _listed(wanted), _listed(sizes.index))
    yield Check(f"images per class in {split}", "10", _listed(sizes))
    if split == "test-30":
        shared = set(labels[split]) & set(labels["train-100"])
        yield Check("classes in both train-100 and test-30", 0, len(shared))


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(map(int, numbers))))) or "none"
