"""Speed and memory of the search for copies among drawn images."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pandas as pd
from bench.datasets.synthetic.drawing.sprites import KINDS, draw
from numpy.typing import NDArray

from bench.images import ImageSet
from bench.imaging.duplicates import find_duplicates


class _InMemory(ImageSet):
    def __init__(self, images: list[NDArray[np.uint8]]) -> None:
        self.table = pd.DataFrame({"id": [str(i) for i in range(len(images))], "label": None})
        self.channels = 1
        self._images = images

    def read(self, row: int) -> NDArray[Any]:
        return self._images[row][..., None]


class Search:
    """Of images of various sizes, and of one size, where sizes tell nothing apart; nothing is decoded."""

    params = ((500, 2000), ("various", "one size"))
    param_names = ("images", "sides")

    def setup(self, n: int, sides: str) -> None:
        kinds = list(KINDS)
        images = [draw(kinds[i % len(kinds)], np.random.default_rng([0, i])) for i in range(n)]
        if sides == "one size":
            images = [np.asarray(cv2.resize(image, (48, 48))) for image in images]
        self.images = _InMemory(images)
        find_duplicates(_InMemory(images[:10]))  # compiles

    def time_search(self, n: int, sides: str) -> None:
        find_duplicates(self.images)

    def peakmem_search(self, n: int, sides: str) -> None:
        find_duplicates(self.images)
