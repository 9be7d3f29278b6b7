"""Returns features with NaN."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Returns features with NaN."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        features = np.ones((len(images), 3), np.float32)
        features[1:3, 2] = np.nan
        return features
