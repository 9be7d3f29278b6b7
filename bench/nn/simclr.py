"""Contrastive learning of two views: Chen et al., A Simple Framework for Contrastive Learning of Visual
Representations, ICML 2020, arXiv 2002.05709."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.nn.augment import Geometry, IntensityChanges, geometry, intensity
from bench.nn.backbone import Backbone
from bench.nn.inputs import take, tensor
from bench.nn.schedules import Cosine
from bench.nn.training import Draw, Epochs, Task

if TYPE_CHECKING:
    from bench.images import Prepared


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Return the normalised temperature-scaled cross-entropy: which of the other 2b - 1 views is the partner?

    Parameters
    ----------
    a, b : (b, d), the two views of each image, of any length; cosines are compared.

    Notes
    -----
    Equation 1 and algorithm 1 of the paper: the mean over all 2b views.
    """
    z = F.normalize(torch.cat([a, b]).float(), dim=1)
    n = len(a)
    logits = (z @ z.T / temperature).masked_fill(
        torch.eye(2 * n, dtype=torch.bool, device=z.device), -torch.inf
    )
    partner = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(logits, partner)


def spread(z: Tensor) -> Tensor:
    """Return how far apart the directions of (n, d) vectors are: 0 all alike, 1 evenly in all directions."""
    return (1 - F.normalize(z.float(), dim=1).mean(dim=0).square().sum()).clamp_min(0).sqrt()


@dataclass(frozen=True)
class SimClrSettings:
    """How a backbone is trained."""

    view: Geometry
    """How views are cropped, rotated and mirrored."""
    intensity: IntensityChanges
    """How their brightness, contrast and sharpness change."""
    rate: Cosine
    """Learning rate."""
    weight_decay: float
    temperature: float
    outputs: int = 128
    """Width of the projections (out_dim)."""


class SimClrTraining(Task):
    """The training of a backbone; the projection head is discarded afterwards.

    With several processes each image is compared with those of its own process.
    """

    spreads: Tensor

    def __init__(
        self,
        images: Prepared,
        backbone: Backbone,
        features: int,
        settings: SimClrSettings,
        *,
        epochs: Epochs,
        steps: int,
    ) -> None:
        """`features`: those of the backbone; the head's hidden layer has as many."""
        super().__init__()
        self._images, self._epochs, self._steps, self._settings = images, epochs, steps, settings
        self.backbone = backbone
        self.head = nn.Sequential(
            nn.Linear(features, features), nn.ReLU(inplace=True), nn.Linear(features, settings.outputs)
        )
        self.register_buffer("spreads", torch.zeros(2))

    def batch(self, draw: Draw) -> Tensor:
        """Return the first views of this process's images, then the second ones, shape (2b, c, h, w)."""
        rows = self._epochs.batch(draw.step).reshape(draw.world, -1)[draw.rank]
        x = self.backbone.fitted(tensor(take(self._images, rows), self.spreads.device))
        s = self._settings
        views = geometry(x.repeat(2, 1, 1, 1), s.view, draw.generator)
        return intensity(views, s.intensity, draw.generator)

    def forward(self, batch: Tensor, draw: Draw) -> Tensor:
        """Return the loss, and note what reveals a collapse."""
        h = self.backbone(batch)
        z = self.head(h)
        with torch.no_grad():
            self.spreads.copy_(torch.stack([spread(h), spread(z)]))
        first, second = z.chunk(2)
        return nt_xent(first, second, self._settings.temperature)

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW; biases and other vectors do not decay."""
        own = list(self.parameters())
        groups = [
            {"params": [p for p in own if p.ndim > 1], "weight_decay": self._settings.weight_decay},
            {"params": [p for p in own if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self._settings.rate.at(0, self._steps))

    def before_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Set the learning rate."""
        for group in optimizer.param_groups:
            group["lr"] = self._settings.rate.at(step, self._steps)

    def watch(self) -> dict[str, float]:
        """Return the spread of features and of projections; see `collapsed`."""
        features, projections = (round(float(v), 6) for v in self.spreads)
        return {"feature_spread": features, "spread": projections}


def collapsed(watched: Sequence[tuple[int, dict[str, float]]]) -> str | None:
    """Describe a collapse, judged by the last tenth of the curve; None if images still differ."""
    last = [values for _, values in watched[-max(1, len(watched) // 10) :]]
    for name, what in (("spread", "projections"), ("feature_spread", "features")):
        mean = sum(v[name] for v in last) / max(1, len(last))
        if last and not mean >= 0.02:
            return f"all images have nearly the same {what} (spread {mean:.1g} of at most 1)"
    return None
