"""What the encoder and the clusterer share that refine codes into clusters (DEC, IDEC): their parameters.

Adapters import this file, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from bench.interfaces import Adapter, Count, Unit

if TYPE_CHECKING:
    from bench.nn.dec import RefinementSettings


class Refining(Adapter):
    """Parameters of the refinement; see `bench.nn.dec`."""

    alpha: Annotated[float, Field(gt=0)] = 1.0
    """Degrees of freedom of Student's t."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.1
    """Of the divergence of the assignments from their target."""
    reconstruction_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the reconstruction error while codes are refined; 0 is DEC, above is IDEC."""
    update: Annotated[Count, Unit("steps")] = 140
    """Steps between updates of the target, each from all images (update_interval)."""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 1e-5
    """Refinement ends when fewer than this share of the images change cluster between two updates (tol)."""
    n_init: Count = 20
    """Starts of the k-means that the centres come from."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Of the refinement. The published settings are sgd with rate 1e-4 and momentum 0.01, which hardly
    move."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of sgd."""

    def settings(self, rate: float, seed: int) -> RefinementSettings:
        """Return how to refine, at a learning rate."""
        from bench.nn.dec import RefinementSettings

        return RefinementSettings(
            kl_weight=self.kl_weight,
            reconstruction_weight=self.reconstruction_weight,
            update=self.update,
            tolerance=self.tolerance,
            n_init=self.n_init,
            optimizer=self.optimizer,
            rate=rate,
            momentum=self.momentum,
            seed=seed,
        )
