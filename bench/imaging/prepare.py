"""Decode an image set once, into one array that every method reads; never again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.images import BadImage, ImageSet, Prepared
from bench.imaging.normalise import normalise
from bench.imaging.padding import Border, PaddingCheck, compare
from bench.imaging.pixelfile import PixelFile, Pixels
from bench.imaging.resize import corner, pad_with_border, resizer
from bench.interfaces import NONE_USABLE, PADDING, Json
from bench.util.parallel import in_order

if TYPE_CHECKING:
    from bench.interfaces import Dataset, Labels, Run

_CHUNK_BYTES = 64 << 20
"""At most this much of prepared images is in memory at a time, whatever the size of the set."""
_BORDERS = 2000
"""Images, evenly spread, whose borders are compared with their padding."""
_BLOCK, _SMALLEST = 512, 32
"""Images that a thread decodes at a time: handing over a few small ones costs as much as decoding them."""


def prepare(images: ImageSet, dataset: Dataset, folder: Path, run: Run) -> None:
    """Write an image set as square images of one size, with its table.

    `folder`, an existing one, receives

    - `images.npy`: the images' dtype, shape (n, channels, size, size), in the table's order;
    - `table.parquet`: the rows of `images.table` whose image is usable;
    - `set.json`: `classes` (sorted), `n`, `n_labelled`, `bad_images` (`where` and `what` of each), `notes`,
      and of images that were normalised `normalised`: the column that names the `group` ("" for the
      whole set) and the `limits`, per group and channel the values that became 0 and the largest one.

    All three depend on the images and on `dataset.size`, `.shape`, `.normalise` and `.percentiles`
    only, not on `run.threads`. Images become square as `bench.imaging.resize` defines and are scaled as
    `bench.imaging.normalise` does.

    Memory: beside the table and 4 bytes per image, at most 64 MiB of prepared images (or `run.threads`
    + 2 of them, if they are larger than that) and what `images` needs to decode `run.threads` images.

    Raises
    ------
    DataError : no usable image; a bad one when `dataset.on_bad_image` is "refuse"; ids that repeat;
        images without a group when `dataset.normalise` is "per_group".
    """
    table = _checked_table(images)
    groups, names = _groups(images, dataset)
    covered = np.zeros((len(table), 2), np.uint16)
    padding = PaddingCheck(images.fill) if images.fill != "border" else None
    bad: list[Json] = []
    notes = dict(images.notes)
    described: dict[str, Json] = {"bad_images": bad, "notes": notes}
    with PixelFile(
        folder / "images.npy", (images.channels, dataset.size, dataset.size), images.dtype
    ) as pixels:
        for block in _decoded(images, dataset, run.threads):
            for row, reason in block.bad:
                if dataset.on_bad_image == "refuse":
                    raise DataError(f"{reason}; on_bad_image: skip would leave it out")
                where = images.where(row)
                bad.append({"where": where, "what": str(reason).removeprefix(f"{where}: ")})
                run.log.warning("left out: %s", reason)
            covered[block.good] = np.reshape(block.covered, (-1, 2))
            if padding is not None:
                padding.borders += block.borders
            pixels.append(block.pixels)
            run.report(block.stop, len(table), "images decoded")
        kept = covered.any(axis=1)
        if not kept.any():
            raise DataError(f"none of the {len(table)} images can be used; the first: {_first(bad)}")
        if dataset.normalise != "none":
            of = normalise(pixels, covered[kept], groups[kept], dataset.percentiles, images.fill, run)
            described["normalised"] = {
                "group": images.group if dataset.normalise == "per_group" else "",
                "limits": {names[group]: limits for group, limits in of.items()},
            }
        pixels.finish()
    if padding is not None and (differs := padding.sentence()) is not None:
        notes[PADDING] = differs
    if not kept.all():
        labels = table["label"]
        emptied = sorted(set(labels.dropna()) - set(labels.iloc[np.flatnonzero(kept)].dropna()))
        if emptied:
            notes[NONE_USABLE] = {"count": len(emptied), "first": emptied[:10]}
        table = table.iloc[np.flatnonzero(kept)].reset_index(drop=True)
    table.to_parquet(folder / "table.parquet", index=False)
    described["classes"] = sorted(set(table["label"].dropna()))
    described["n"] = len(table)
    described["n_labelled"] = int(table["label"].notna().sum())
    (folder / "set.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load(folder: Path, rows: NDArray[np.int64] | None = None, *, labels: bool) -> Prepared:
    """Open a prepared set without reading the pixels.

    Parameters
    ----------
    folder : as given to `prepare`.
    rows : int64, shape (n,): the images to use, in this order; None means all.
    labels : whether the result carries the true classes.
    """
    pixels = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    table = pd.read_parquet(folder / "table.parquet")
    classes = json.loads((folder / "set.json").read_text(encoding="utf-8"))["classes"]
    if len(table) != len(pixels):
        raise DataError(f"{folder}: {len(pixels)} images but {len(table)} rows; prepare the dataset again")
    rows = np.arange(len(table), dtype=np.int64) if rows is None else np.asarray(rows, np.int64)
    if rows.size and not 0 <= rows.min() <= rows.max() < len(table):
        raise DataError(f"{folder}: rows {rows.min()} to {rows.max()} of a set of {len(table)} images")
    chosen = table.iloc[rows]
    return Prepared(
        pixels=pixels,
        rows=rows,
        ids=[str(i) for i in chosen["id"]],
        classes=classes,
        labels=class_indices(chosen, classes) if labels else None,
    )


def class_indices(table: pd.DataFrame, classes: Sequence[str]) -> Labels:
    """Return int64 positions in `classes` of the column `label`, shape (n,); -1 where it is missing.

    Raises `DataError` for a label that is not among `classes`.
    """
    labels = table["label"]
    position = {name: i for i, name in enumerate(classes)}
    indices = np.fromiter((position.get(label, -1) for label in labels), np.int64, len(labels))
    unknown = labels[(indices < 0) & labels.notna().to_numpy()]
    if len(unknown):
        raise DataError(f"label {unknown.iloc[0]!r} is not among the {len(classes)} classes of the set")
    return indices


def _checked_table(images: ImageSet) -> pd.DataFrame:
    ids = images.table["id"]
    if not len(ids):
        raise DataError("the dataset holds no images")
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise DataError(
            f"{len(repeated)} ids repeat, the first is {repeated.iloc[0]!r}; an id names one image"
        )
    return images.table


def _groups(images: ImageSet, dataset: Dataset) -> tuple[NDArray[np.int64], list[str]]:
    """Return the number of each image's group, and the groups' names; one group unless they matter."""
    n = len(images.table)
    if dataset.normalise != "per_group":
        return np.zeros(n, np.int64), [""]
    instead = "use normalise: per_set or none"
    if images.group not in images.table:
        raise DataError(f"dataset {dataset.use!r} does not divide its images into groups; {instead}")
    column = images.table[images.group]
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise DataError(
            f"dataset {dataset.use!r}: {len(missing)} of {n} images have no {images.group!r} for normalise: "
            f"per_group, the first is {images.where(int(missing[0]))}; complete the metadata, or {instead}"
        )
    numbers, names = pd.factorize(column.map(str), sort=True)
    return numbers.astype(np.int64), [str(name) for name in names]


class _Block(NamedTuple):
    """Consecutive images, decoded."""

    stop: int
    """Row of the image behind the last one."""
    pixels: Pixels
    """Shape (good ones, channels, size, size)."""
    good: list[int]
    covered: list[tuple[int, int]]
    """Height and width of each good one within its square."""
    bad: list[tuple[int, BadImage]]
    borders: list[Border]
    """Of some of those that are padded with a given value."""


def _decoded(images: ImageSet, dataset: Dataset, threads: int) -> Iterator[_Block]:
    """Yield the images in order, block by block."""
    n, size = len(images.table), dataset.size
    channels, dtype = images.channels, np.dtype(images.dtype)
    resize, fill = resizer(size, dataset.shape), images.fill
    by_border = fill == "border" and dataset.normalise == "none"  # else once they are scaled
    step = 1 + n // _BORDERS

    def block(rows: range) -> _Block:
        squares = np.full((len(rows), channels, size, size), 0 if fill == "border" else fill, dtype)
        done = _Block(rows.stop, squares, [], [], [], [])
        for row, image in zip(rows, images.read_many(rows), strict=True):
            if isinstance(image, BadImage):
                done.bad.append((row, image))
            elif wrong := images.misfit(row, image):
                done.bad.append((row, wrong))
            else:
                square = squares[len(done.good)]
                height, width = resize(image, square)
                if by_border:
                    pad_with_border(square, height, width)
                elif fill != "border" and row % step == 0 and (height < size or width < size):
                    top, left = corner(size, height, width)
                    done.borders.append(compare(square[:, top : top + height, left : left + width], fill))
                done.covered.append((height, width))
                done.good.append(row)
        return done._replace(pixels=squares[: len(done.good)])

    room = _CHUNK_BYTES // ((threads + 2) * channels * size**2 * dtype.itemsize)
    at_once = max(1, min(room, _BLOCK, max(_SMALLEST, n // (4 * threads))))
    starts = range(0, n, at_once)
    cv2_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the threads are used for whole images instead
    try:
        yield from in_order(block, (range(i, min(i + at_once, n)) for i in starts), threads)
    finally:
        cv2.setNumThreads(cv2_threads)


def _first(bad: list[Json]) -> str:
    first = bad[0]
    assert isinstance(first, dict)
    return f"{first['where']}: {first['what']}"
