"""Rotation-invariant autoencoder: its codes do not change when an image is rotated by 90 degrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from bench.nn.reconstructing import Reconstructing

if TYPE_CHECKING:
    from torch import nn

    from bench.interfaces import Run


class RotationAutoencoder(Reconstructing):
    """Codes of an autoencoder whose encoder convolves over shifts and rotations by 90 degrees.

    45,801,795 parameters as published, for 64 px and three channels. With `loss: mse`, as published, the
    decoder can only learn the mean of an image's four rotations; `min_over_rotations` avoids this.
    """

    source: ClassVar[str] = (
        "AILARON's unsupervised plankton framework; Cohen & Welling, ICML 2016, arXiv 1602.07576"
    )

    pool: Literal["max", "mean"] = "max"
    """Over the four orientations; the source does not state which."""

    def _encoder(self, channels: int, side: int, run: Run) -> tuple[nn.Module, int]:
        from bench.nn.autoencoders import rotation_encoder

        return rotation_encoder(channels, self.width, slope=self.slope, pool=self.pool), 8 * self.width
