"""A look at all images of a set before anything is computed from them: which can be used?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from bench.images import BadImage, ImageSet
from bench.interfaces import NONE_USABLE, Json
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
    """The set's own, and which classes have no image that can be used."""

    @property
    def usable(self) -> int:
        """Number of images that can be used."""
        return self.images - len(self.bad)


def survey(images: ImageSet, threads: int, report: ReportProgress) -> Survey:
    """Decode every image once; memory does not grow with their number."""
    n = len(images.table)
    labels = images.table["label"]
    found = Survey(n, notes=dict(images.notes))
    good = np.ones(n, bool)
    for row, wrong in enumerate(_decoded(images, n, threads)):
        if wrong is not None:
            where = images.where(row)
            found.bad.append({"where": where, "what": str(wrong).removeprefix(f"{where}: ")})
            good[row] = False
        report(row + 1, n, "images decoded")
    emptied = sorted(set(labels.dropna()) - set(labels.iloc[np.flatnonzero(good)].dropna()))
    if emptied:
        found.notes[NONE_USABLE] = {"count": len(emptied), "first": list(emptied[:10])}
    return found


def _decoded(images: ImageSet, n: int, threads: int) -> Iterator[BadImage | None]:
    def block(start: int) -> list[BadImage | None]:
        rows = range(start, min(start + _BLOCK, n))
        return [
            image if isinstance(image, BadImage) else images.misfit(row, image)
            for row, image in zip(rows, images.read_many(rows), strict=True)
        ]

    for results in in_order(block, range(0, n, _BLOCK), threads):
        yield from results
