"""Decode an image set once, into one array that every method reads; never again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.decode import to_square
from bench.images import BadImage, ImageSet, Prepared
from bench.interfaces import DataError, Json

if TYPE_CHECKING:
    from bench.interfaces import Dataset, Labels, Run

_BLOCK = 32
"""Images that a thread decodes at a time: handing over single small ones costs as much as decoding them."""
_CHUNK_BYTES = 64 << 20
"""About this much is in memory at a time, whatever the size of the set."""


def prepare(images: ImageSet, dataset: Dataset, folder: Path, run: Run) -> None:
    """Write an image set as square images of one size, with its table.

    `folder`, an existing one, receives

    - `images.npy`: the images' dtype, shape (n, channels, size, size), in the table's order;
    - `table.parquet`: the rows of `images.table` whose image is usable;
    - `set.json`: `classes` (sorted), `n`, `n_labelled`, `bad_images` (`where` and `what` of each), `notes`.

    All three depend on the images and on `dataset.size` and `.shape` only, not on `run.threads`.

    Raises
    ------
    DataError : no usable image; a bad one when `dataset.on_bad_image` is "refuse"; ids that repeat.
    """
    table = _checked_table(images)
    path = folder / "images.npy"
    kept: list[int] = []
    bad: list[Json] = []
    pixels = np.lib.format.open_memmap(
        path, mode="w+", dtype=images.dtype, shape=(len(table), images.channels, dataset.size, dataset.size)
    )
    done = 0
    for results in _decoded(images, dataset, len(table), run.threads):
        good = [r for r in results if not isinstance(r, BadImage)]
        if good:
            pixels[len(kept) : len(kept) + len(good)] = np.stack(good)
        for row, result in enumerate(results, done):
            if not isinstance(result, BadImage):
                kept.append(row)
            elif dataset.on_bad_image == "refuse":
                raise DataError(f"{result}; on_bad_image: skip would leave it out")
            else:
                where = images.where(row)
                bad.append({"where": where, "what": str(result).removeprefix(f"{where}: ")})
                run.log.warning("left out: %s", result)
        done += len(results)
        run.report(done, len(table), "images decoded")
    if not kept:
        raise DataError(f"none of the {len(table)} images can be used; the first: {_first(bad)}")
    pixels.flush()
    del pixels
    _shorten(path, len(kept))
    table = table.iloc[kept].reset_index(drop=True)
    table.to_parquet(folder / "table.parquet", index=False)
    described: dict[str, Json] = {
        "classes": sorted(set(table["label"].dropna())),
        "n": len(kept),
        "n_labelled": int(table["label"].notna().sum()),
        "bad_images": bad,
        "notes": dict(images.notes),
    }
    (folder / "set.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load(folder: Path, rows: NDArray[np.int64] | None = None, *, labels: bool) -> Prepared:
    """Open what `prepare` wrote, without reading the pixels.

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


def _decoded(
    images: ImageSet, dataset: Dataset, n: int, threads: int
) -> Iterator[list[NDArray[Any] | BadImage]]:
    """Yield the images in order, chunk by chunk; a bad one as the reason why."""

    def block(start: int) -> list[NDArray[Any] | BadImage]:
        return [_one(images, dataset, row) for row in range(start, min(start + _BLOCK, n))]

    image_bytes = images.channels * dataset.size**2 * np.dtype(images.dtype).itemsize
    blocks = max(threads, _CHUNK_BYTES // (image_bytes * _BLOCK), 1)
    starts = range(0, n, _BLOCK)
    cv2_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the threads are used for whole images instead
    try:
        with ThreadPoolExecutor(max(1, threads)) as pool:
            for first in range(0, len(starts), blocks):
                chunk = pool.map(block, starts[first : first + blocks])
                yield [result for part in chunk for result in part]
    finally:
        cv2.setNumThreads(cv2_threads)


def _one(images: ImageSet, dataset: Dataset, row: int) -> NDArray[Any] | BadImage:
    try:
        image = images.read(row)
        if image.dtype != images.dtype or image.shape[2] != images.channels:
            what = f"{image.shape[2]} channels of {image.dtype}, the set {images.channels} of"
            raise BadImage(f"{images.where(row)}: has {what} {np.dtype(images.dtype)}")  # noqa: TRY301  # one way out
        return to_square(image, dataset.size, dataset.shape, images.fill).transpose(2, 0, 1)
    except BadImage as e:
        return e


def _shorten(path: Path, n: int) -> None:
    """Keep the first n images of a .npy file in place: room was made before the bad ones were known."""
    with path.open("r+b") as f:
        np.lib.format.read_magic(f)
        shape, _, dtype = np.lib.format.read_array_header_1_0(f)
        start = f.tell()
        if shape[0] == n:
            return
        f.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(dtype),
            "fortran_order": False,
            "shape": (n, *shape[1:]),
        }
        np.lib.format.write_array_header_1_0(f, header)
        if f.tell() != start:  # numpy pads the header so that the first axis may change its number of digits
            raise AssertionError("the header of a .npy file changed its length")
        f.truncate(start + n * int(np.prod(shape[1:])) * dtype.itemsize)


def _first(bad: list[Json]) -> str:
    first = bad[0]
    assert isinstance(first, dict)
    return f"{first['where']}: {first['what']}"
