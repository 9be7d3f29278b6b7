"""Learns the mean image."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Centred(Encoder):
    """Pixels less the mean image of the fit images, plus seeded noise."""

    seeded: ClassVar[bool] = True
    diary: str
    """File that gets a line for every fit."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Write the mean image; say in the diary what was seen."""
        assert images.labels is None, "labels must not reach an encoder that does not ask for them"
        pixels = np.concatenate(list(images.batches(7))).astype(np.float32)
        np.save(weights / "mean.npy", pixels.mean(axis=0))
        with Path(self.diary).open("a") as f:
            f.write(f"{run.seed} {' '.join(images.ids)}\n")
        run.facts["fitted_on"] = len(images)
        warnings.warn("a warning that the record must hold", stacklevel=1)

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Subtract the mean image."""
        assert weights is not None
        mean = np.load(weights / "mean.npy", allow_pickle=False)
        pixels = np.concatenate(list(images.batches(7))) - mean
        noise = run.rng().normal(0, 1e-3, (len(images), mean.size))
        return np.asarray(pixels.reshape(len(images), -1) + noise, np.float32)
