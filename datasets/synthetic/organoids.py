"""Stand-in for organoids: drawn organoids of 13 classes in the four folders, 16-bit TIFF and masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.interfaces import Generator

if TYPE_CHECKING:
    from pathlib import Path

    from bench.interfaces import Run

_SEEN, _UNSEEN, _EACH = range(1, 11), range(11, 14), 10


class Organoids(Generator):
    """Writes `<split>/single_organoid_<number>.tif` (uint16, RGB) and `..._mask.tif` (0 or 255).

    Image i depends on `seed` and i only, not on how many there are. The first 46 give each class two images
    in each of its folders; then these fill evenly, and test-unlabeled with them, up to 10 images of a
    class in a folder (240 in all), as in the real data. All further images are unlabelled.
    Fewer than 46 images make fewer classes.
    """

    def write(self, root: Path, run: Run) -> None:
        """Write `images` images and as many masks."""
        import numpy as np
        import tifffile

        from .drawing.organoids import STYLES, draw

        for split in ("train-100", "test-100", "test-30", "test-unlabeled"):
            (root / split).mkdir(parents=True, exist_ok=True)
        for i, (split, number, kind) in zip(range(self.images), _places(), strict=False):
            rng = np.random.default_rng([self.seed % 2**64, i])
            style = STYLES[kind or int(rng.integers(1, len(STYLES) + 1))]
            image, mask = draw(style, rng)
            name = root / split / f"single_organoid_{number}"
            tifffile.imwrite(f"{name}.tif", image, photometric="rgb", metadata=None)
            tifffile.imwrite(f"{name}_mask.tif", mask, photometric="minisblack", metadata=None)
            run.report(i + 1, self.images, "images drawn")


def _places() -> Iterator[tuple[str, int, int]]:
    """Yield folder, number and class (0: any) of the images, without end."""
    pairs = [(split, c) for c in _SEEN for split in ("train-100", "test-100")]
    for place, c in zip((4, 13, 22), _UNSEEN, strict=True):  # small sets have unseen classes too
        pairs.insert(place, ("test-30", c))
    first = {"train-100": 0, "test-100": _EACH, "test-30": 0}
    for split, c in pairs:
        for j in (0, 1):
            yield split, 100 * c + first[split] + j, c
    unlabelled = 0
    for j in range(2, _EACH):
        for split, c in pairs:
            yield split, 100 * c + first[split] + j, c
        yield "test-unlabeled", unlabelled, 0
        unlabelled += 1
    while True:
        yield "test-unlabeled", unlabelled, 0
        unlabelled += 1
