"""Nearest mean image of a class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Classifier

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Labels, Run


class NearestMean(Classifier):
    """Predict the class whose mean image is nearest."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Write one mean image per class."""
        assert images.labels is not None
        pixels = images.batch(0, len(images)).reshape(len(images), -1).astype(np.float32)
        np.save(
            weights / "means.npy",
            np.stack([pixels[images.labels == c].mean(0) for c in range(len(images.classes))]),
        )

    def predict(self, images: Prepared, weights: Path, run: Run) -> Labels:
        """Return the nearest class of each image."""
        assert images.labels is None, "what is predicted must not be seen"
        means = np.load(weights / "means.npy", allow_pickle=False)
        pixels = images.batch(0, len(images)).reshape(len(images), -1).astype(np.float32)
        return np.asarray(((pixels[:, None] - means[None]) ** 2).sum(-1).argmin(1), np.int64)
