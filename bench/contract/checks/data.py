"""Checks of datasets and generators."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.adapters import registry
from bench.contract.check import Broken, NotApplicable, check
from bench.contract.subject import DataSubject
from bench.errors import DataError
from bench.images import BadImage, ImageSet
from bench.interfaces import Dataset

_LOOKED_AT = 20
"""Images whose pixels are read."""
_MOST = 2000
"""Images up to which a whole dataset is prepared."""


@check("dataset")
def opens(subject: DataSubject) -> None:
    """It opens its data: a table with a unique id per image, channels, and the type of the pixels.

    Everything after it finds images by their id, and reads no image to learn what they are.
    """
    images = subject.dataset.open(subject.root)
    table = images.table
    problems = {
        "its table has no column `id`": "id" not in table,
        "its table has no column `label`": "label" not in table,
        f"its table has {len(table)} rows": not len(table),
        f"channels is {images.channels!r}, not a positive integer": images.channels < 1,
        f"dtype is {images.dtype!r}, not np.uint8 or np.uint16": images.dtype not in (np.uint8, np.uint16),
        f"group: its table has no column {images.group!r}": images.group and images.group not in table,
    }
    for problem, there in problems.items():
        if there:
            raise Broken(problem)
    if table["id"].duplicated().any():
        raise Broken(f"the id {table['id'][table['id'].duplicated()].iloc[0]!r} occurs twice")
    if not all(isinstance(i, str) for i in table["id"]):
        raise Broken("some ids are not text")
    if images.fill != "border" and not 0 <= images.fill <= np.iinfo(images.dtype).max:
        raise Broken(f"fill {images.fill} does not fit {np.dtype(images.dtype)}")
    try:
        json.dumps(images.notes)
    except (TypeError, ValueError) as e:
        raise Broken(f"notes cannot be written as JSON: {e}") from None


@check("dataset", needs=("opens",))
def reads(subject: DataSubject) -> None:
    """Images have the channels and the type that the set declares.

    An image that does not is left out of every run, as if it were damaged.
    """
    images = subject.dataset.open(subject.root)
    good = [p for p in _pixels(images) if not isinstance(p, BadImage)]
    if not good:
        raise Broken(f"none of the first {_LOOKED_AT} images can be read: {next(iter(_pixels(images)))}")
    for p in good:
        if p.ndim != 3 or p.shape[2] != images.channels or p.dtype != np.dtype(images.dtype):
            raise Broken(
                f"an image has shape {p.shape} of {p.dtype}; (height, width, {images.channels}) of "
                f"{np.dtype(images.dtype)} is declared"
            )


@check("dataset", needs=("reads",))
def reads_again(subject: DataSubject) -> None:
    """Opened again it gives the same images, in the same order, also from several threads.

    Splits and seeds choose images by their position, and images are decoded in threads.
    """
    once, again = subject.dataset.open(subject.root), subject.dataset.open(subject.root)
    if not once.table.equals(again.table):
        raise Broken("opened twice it gives two tables")
    with ThreadPoolExecutor(4) as pool:
        in_threads = list(pool.map(lambda i: _read(again, i), range(min(_LOOKED_AT, len(again.table)))))
    for i, (a, b, c) in enumerate(zip(_pixels(once), in_threads, _in_a_row(again), strict=True)):
        if isinstance(a, BadImage) or isinstance(b, BadImage) or isinstance(c, BadImage):
            same = isinstance(a, BadImage) and isinstance(b, BadImage) and isinstance(c, BadImage)
        else:
            same = np.array_equal(a, b) and np.array_equal(a, c)
        if not same:
            raise Broken(f"image {once.table['id'].iloc[i]!r} differs when it is read again")


@check("dataset", needs=("opens",))
def files(subject: DataSubject) -> None:
    """`files` lists existing files below the root, the same every time.

    A change of one of them makes every result of the dataset stale; the list is made at every plan.
    """
    listed = list(subject.dataset.files(subject.root))
    if not listed:
        raise Broken("it lists no files")
    gone = [p for p in listed if not p.is_file()]
    if gone:
        raise Broken(f"it lists {gone[0]}, which is not a file")
    if set(listed) != set(subject.dataset.files(subject.root)):
        raise Broken("it lists other files when it is asked again")


@check("dataset")
def refuses(subject: DataSubject) -> None:
    """An empty folder, or one that is not there, is refused with a `DataError`.

    It is the first mistake that everybody makes, and the message is the help.
    """
    empty = subject.new_folder()
    for what, root in (("an empty folder", empty), ("a folder that is not there", empty / "missing")):
        for name, call in (("open", subject.dataset.open), ("files", subject.dataset.files)):
            try:
                call(root)
            except DataError:
                continue
            except Exception as e:
                e.add_note(f"{name} of {what}")
                raise
            raise Broken(f"{name} accepts {what}")


@check("dataset", needs=("reads",))
def leaves_data(subject: DataSubject) -> None:
    """It changes nothing in the data it reads.

    The data is the user's, and often read-only.
    """
    before = _states(subject.root)
    images = subject.dataset.open(subject.root)
    subject.dataset.files(subject.root)
    list(_pixels(images))
    if _states(subject.root) != before:
        raise Broken("files below the root were written, removed or changed")


@check("dataset", needs=("reads",))
def prepares(subject: DataSubject) -> None:
    """Its images can be prepared as a run does.

    What stands behind it all: one array of square images, and a table.
    """
    from bench.imaging.prepare import load, prepare

    images = subject.dataset.open(subject.root)
    if len(images.table) > _MOST:
        raise NotApplicable(f"the data has {len(images.table)} images; up to {_MOST} are prepared here")
    folder = subject.new_folder()
    prepare(images, subject.dataset, folder, subject.run())
    found = load(folder, labels=True)
    if found.shape != (images.channels, subject.dataset.size, subject.dataset.size):
        raise Broken(f"prepared images have shape {found.shape}")


@check("generator")
def writes(subject: DataSubject) -> None:
    """It writes files into an empty folder.

    Suites run on generated data wherever the real data is not.
    """
    if not _contents(subject.written(subject.generator())):
        raise Broken("it wrote no files")


@check("generator", needs=("writes",))
def writes_again(subject: DataSubject) -> None:
    """The same parameters give the same bytes.

    Two machines that generate data must score on the same images.
    """
    once, again = (_contents(subject.written(subject.generator())) for _ in range(2))
    differ = sorted(str(k) for k in once.keys() | again.keys() if once.get(k) != again.get(k))
    if differ:
        raise Broken(
            f"{len(differ)} of {len(once)} files differ when they are written again, e.g. {differ[0]}"
        )


@check("generator", needs=("writes_again",))
def writes_seed(subject: DataSubject) -> None:
    """Another `seed` gives other images.

    Otherwise repeated experiments on generated data are one experiment.
    """
    other = subject.generator(seed=getattr(subject.adapter, "seed", 0) + 1)
    if _contents(subject.written(subject.generator())) == _contents(subject.written(other)):
        raise Broken("its parameter `seed` changes nothing")


@check("generator", needs=("writes",))
def writes_few(subject: DataSubject) -> None:
    """It writes two images, or refuses with a `DataError`.

    Smoke profiles ask for few.
    """
    try:
        subject.written(subject.generator(images=2))
    except DataError:
        return


@check("generator", needs=("writes",))
def is_read(subject: DataSubject) -> None:
    """The dataset it stands in for reads what it writes.

    It must write the real layout, so that the same adapter reads the stand-in and the real data.
    """
    name = subject.cls.use
    classes = [registry.load("dataset", use) for use in registry.names("dataset")]
    readers = [c for c in classes if issubclass(c, Dataset) and c.generator == name]
    if not readers:
        raise NotApplicable(f"no installed dataset names it as its generator: `generator = {name!r}`")
    root = subject.written(subject.generator())
    for reader in readers:
        if not len(reader.model_validate({}).open(root).table):
            raise Broken(f"dataset {reader.use!r} finds no images in it")


def _read(images: ImageSet, row: int) -> NDArray[Any] | BadImage:
    try:
        return np.array(images.read(row))
    except BadImage as e:
        return e


def _pixels(images: ImageSet) -> list[NDArray[Any] | BadImage]:
    return [_read(images, row) for row in range(min(_LOOKED_AT, len(images.table)))]


def _in_a_row(images: ImageSet) -> list[NDArray[Any] | BadImage]:
    rows = range(min(_LOOKED_AT, len(images.table)))
    return [p if isinstance(p, BadImage) else np.array(p) for p in images.read_many(rows)]


def _states(root: Path) -> dict[Path, tuple[int, int]]:
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(root.rglob("*"))}


def _contents(root: Path) -> dict[Path, bytes]:
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
