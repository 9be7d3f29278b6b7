"""Stand-in for kaggle_plankton: drawn objects of six classes, `train/<class>/<id>.jpg`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bench.interfaces import Generator

if TYPE_CHECKING:
    from bench.interfaces import Run

_GOLDEN = (math.sqrt(5) - 1) / 2


class Plankton(Generator):
    """Writes 8-bit grey JPEGs; image i depends on `seed`, `balance` and i only, not on how many there are."""

    balance: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Size of the smallest class relative to the largest; those between are evenly spaced."""

    def write(self, root: Path, run: Run) -> None:
        """Write `images` files."""
        import cv2
        import numpy as np

        from .drawing.sprites import KINDS, draw

        kinds = list(KINDS)
        ends = np.cumsum(np.linspace(1, self.balance, len(kinds)))
        for kind in kinds:
            (root / "train" / kind).mkdir(parents=True, exist_ok=True)
        for i in range(self.images):
            # Multiples of the golden ratio fill 0..1 evenly from the start: so all classes soon have images.
            kind = kinds[int(np.searchsorted(ends, ends[-1] * ((i + 0.5) * _GOLDEN % 1), side="right"))]
            image = draw(kind, np.random.default_rng([self.seed % 2**64, i]))
            ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
            assert ok
            (root / "train" / kind / f"{i + 1}.jpg").write_bytes(data.tobytes())
            run.report(i + 1, self.images, "images drawn")
