"""Convolutional autoencoder: the plain counterpart of the rotation-invariant one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bench.nn.reconstructing import Reconstructing

if TYPE_CHECKING:
    from torch import nn

    from bench.interfaces import Run


class PlainAutoencoder(Reconstructing):
    """Codes of an autoencoder with usual convolutions.

    Layers, code, decoder and training are those of `rotation_autoencoder`, and its layers have as many
    weights (but the last, which has half): what differs between the two is the invariance.
    """

    source: ClassVar[str] = "AILARON's unsupervised plankton framework, with plain convolutions"

    def _encoder(self, channels: int, side: int, run: Run) -> tuple[nn.Module, int]:
        from bench.nn.autoencoders import plain_encoder

        return plain_encoder(channels, self.width, slope=self.slope), 8 * self.width
