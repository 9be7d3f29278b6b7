"""Joins images by the difference of their mean brightness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import PairModel

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import JoinProbabilities, Run


class Alike(PairModel):
    """Probability 1 / (1 + difference of brightness)."""

    skewed: bool = False
    """Break the contract: return a matrix that is not symmetric."""

    def join_probabilities(self, images: Prepared, weights: Path | None, run: Run) -> JoinProbabilities:
        """Return the probabilities."""
        b = np.concatenate([x.mean(axis=(1, 2, 3)) for x in images.batches(8)])
        p = 1 / (1 + np.abs(b[:, None] - b[None, :]))
        if self.skewed:
            p[0, 1] = 0.9 * p[1, 0]
        return np.asarray(p, np.float32)
