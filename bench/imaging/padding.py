"""Whether the value that pads images to squares suits what they show at their borders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.imaging.resize import border_medians

ALARMING_SHARE = 0.1
"""Above this share of padded images whose padding differs from their border a run warns."""
_DIFFERENT = 0.25
"""Padding differs from a border by more than this share of the range of values in the image."""
_SAMPLES = 64
"""At most about this many rows and columns are looked at for the range."""


class Border(NamedTuple):
    """An image's border beside the padding it would get."""

    value: float
    """Mean over the channels of the border's medians."""
    differs: bool


def compare(planes: NDArray[Any], fill: int) -> Border:
    """Compare the border of an image, shape (channels, height, width), with a padding of `fill`."""
    value = float(border_medians(planes).mean())
    _, height, width = planes.shape
    some = planes[:, :: max(1, height // _SAMPLES), :: max(1, width // _SAMPLES)]
    return Border(value, abs(value - fill) > _DIFFERENT * max(1, int(some.max()) - int(some.min())))


@dataclass
class PaddingCheck:
    """Collects the borders of the images that are padded."""

    fill: int
    borders: list[Border] = field(default_factory=list)

    def sentence(self) -> str | None:
        """Say how many images are padded with what beside what; None unless it is many."""
        different = [b.value for b in self.borders if b.differs]
        if len(different) <= ALARMING_SHARE * len(self.borders):
            return None
        low, middle, high = np.percentile(different, (5, 50, 95))
        return (
            f"{len(different) / len(self.borders):.0%} of the {len(self.borders):,} padded images looked at "
            f"are padded with {self.fill} beside borders of about {middle:.0f} ({low:.0f} to {high:.0f}), so "
            "that methods see bars; pad with the images' own background (`fill: border`, where the dataset "
            "has it) or use `shape: stretch`"
        )
