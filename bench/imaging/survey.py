"""A look at all images of a set before anything is computed from them: which can be used?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.images import BadImage, ImageSet
from bench.imaging.padding import Border, PaddingCheck, compare
from bench.interfaces import NONE_USABLE, PADDING, Json
from bench.util.parallel import in_order

_BLOCK = 16
"""Neighbours that a thread decodes at a time: they may share a file."""

ReportProgress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class Survey:
    """What decoding every image found."""

    images: int
    bad: list[dict[str, str]] = field(default_factory=list)
    """`where` and `what` of each image that cannot be used, as in the `set.json` of a prepared set."""
    notes: dict[str, Json] = field(default_factory=dict)
    """The set's own, which classes have no image that can be used, and whether the padding differs."""

    @property
    def usable(self) -> int:
        """Number of images that can be used."""
        return self.images - len(self.bad)


def survey(images: ImageSet, *, padded: bool, threads: int, report: ReportProgress) -> Survey:
    """Decode every image once; memory does not grow with their size.

    `padded`: whether images that are not square will be padded to squares.
    """
    n = len(images.table)
    labels = images.table["label"]
    found = Survey(n, notes=dict(images.notes))
    good = np.ones(n, bool)
    fill = images.fill if padded and images.fill != "border" else None
    padding = PaddingCheck(fill or 0)
    for row, seen in enumerate(_decoded(images, n, threads, fill)):
        if isinstance(seen, BadImage):
            where = images.where(row)
            found.bad.append({"where": where, "what": str(seen).removeprefix(f"{where}: ")})
            good[row] = False
        elif seen is not None:
            padding.borders.append(seen)
        report(row + 1, n, "images decoded")
    emptied = sorted(set(labels.dropna()) - set(labels.iloc[np.flatnonzero(good)].dropna()))
    if emptied:
        found.notes[NONE_USABLE] = {"count": len(emptied), "first": list(emptied[:10])}
    if (differs := padding.sentence()) is not None:
        found.notes[PADDING] = differs
    return found


def _decoded(images: ImageSet, n: int, threads: int, fill: int | None) -> Iterator[BadImage | Border | None]:
    """Yield what is wrong with each image, or else its border if it will be padded with `fill`."""

    def look(row: int, image: NDArray[Any] | BadImage) -> BadImage | Border | None:
        wrong = image if isinstance(image, BadImage) else images.misfit(row, image)
        if wrong is not None or isinstance(image, BadImage):
            return wrong
        if fill is None or image.shape[0] == image.shape[1]:
            return None
        return compare(image.transpose(2, 0, 1), fill)

    def block(start: int) -> list[BadImage | Border | None]:
        rows = range(start, min(start + _BLOCK, n))
        return [look(row, image) for row, image in zip(rows, images.read_many(rows), strict=True)]

    for results in in_order(block, range(0, n, _BLOCK), threads):
        yield from results
