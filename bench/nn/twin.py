"""Twin networks: two images through one backbone, a head decides whether they show the same class.

Presberger et al., Correlation Clustering of Organoid Images, GCPR 2024, arXiv 2403.13376, and its public
code: balanced pairs, binary cross-entropy, both directions averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.errors import DataError
from bench.nn.augment import Geometry, geometry
from bench.nn.backbone import Backbone
from bench.nn.inputs import take, tensor
from bench.nn.pairs import Fusion, pair_features, pair_width
from bench.nn.schedules import Cosine
from bench.nn.training import Draw, Task

if TYPE_CHECKING:
    from bench.images import Prepared

_PATIENCE, _EPOCH = 20, 100
"""Epochs without improvement before the rate is halved, and steps of an epoch: the published schedule."""


class TwinNetwork(nn.Module):
    """Backbone, optionally an embedding, and the head: all that is saved."""

    def __init__(self, backbone: Backbone, fusion: Fusion, embedding: int | None, hidden: int | None) -> None:
        super().__init__()
        self.backbone = backbone
        self.fusion: Fusion = fusion
        d = embedding or backbone.width
        self.embed: nn.Module = nn.Linear(backbone.width, embedding) if embedding else nn.Identity()
        self.first = nn.Linear(pair_width(fusion, d), hidden or d)
        self.second = nn.Linear(hidden or d, 1)
        for layer in (self.embed, self.first, self.second):
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.constant_(layer.bias, 0.01)

    def features(self, x: Tensor) -> Tensor:
        """Return one vector per image, (b, d) float32; what pairs are made of."""
        embedded: Tensor = self.embed(self.backbone(x).float())
        return embedded

    def log_odds(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the log-odds that features a[k] and b[k] belong together, shape (k,)."""
        pairs = pair_features(a, b, self.fusion)
        odds: Tensor = self.second(F.relu(self.first(pairs)))
        return odds[:, 0]


class BalancedPairs:
    """Balanced pairs: half of one class (a random class, two of its images), half of two."""

    def __init__(self, labels: NDArray[np.int64], classes: list[str]) -> None:
        """Raise `DataError` for a class of one image, or fewer than two classes."""
        known = np.unique(labels[labels >= 0])
        if known.size < 2:
            raise DataError(
                f"twin networks need images of at least 2 classes to train on; there are {known.size}"
            )
        self._members = [np.flatnonzero(labels == c) for c in known]
        for c, members in zip(known, self._members, strict=True):
            if members.size < 2:
                raise DataError(
                    f"class {classes[c]!r} has 1 image to train on; pairs of one class need 2: leave it out "
                    "with fit: {exclude_classes: [...]} or select more images"
                )

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return n pairs of positions, shape (n, 2), and which are of one class: every second one."""
        pairs = np.empty((n, 2), np.int64)
        for i in range(n):
            if i % 2 == 0:
                members = self._members[rng.integers(len(self._members))]
                pairs[i] = rng.choice(members, 2, replace=False)
            else:
                a, b = rng.choice(len(self._members), 2, replace=False)
                pairs[i] = rng.choice(self._members[a]), rng.choice(self._members[b])
        return pairs, np.arange(n) % 2 == 0


@dataclass(frozen=True)
class TwinSettings:
    """How a twin network is trained."""

    steps: int
    batch: int
    """Pairs per step."""
    rate: float
    """Learning rate."""
    weight_decay: float
    schedule: Literal["plateau", "cosine", "constant"]
    augment: float
    """Probability of each of: mirroring left to right, top to bottom, and a rotation by up to 180 degrees."""


class TwinTraining(Task):
    """The training of a twin network on balanced pairs."""

    plateau: Tensor

    def __init__(
        self,
        images: Prepared,
        pairs: BalancedPairs,
        network: TwinNetwork,
        settings: TwinSettings,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self._images, self._pairs, self._settings, self._accumulate = images, pairs, settings, accumulate
        self.network = network
        self.register_buffer("plateau", torch.tensor([1.0, np.inf, 0.0, 0.0, 0.0], dtype=torch.float64))

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Return pairs, shape (2 k, c, h, w), first all left images, and whether each is of one class."""
        n, odd = divmod(self._settings.batch, self._accumulate * draw.world)
        if odd or n % 2:
            raise DataError(
                f"batch: {self._settings.batch} pairs do not divide into balanced parts for {draw.world} "
                f"processes; make it a multiple of {2 * self._accumulate * draw.world}"
            )
        positions, same = self._pairs.draw(n, draw.rng)
        x = tensor(take(self._images, positions.T.ravel()), self.plateau.device)
        x = self.network.backbone.fitted(x)
        return self._augmented(x, draw), torch.from_numpy(same).to(x)

    def forward(self, batch: tuple[Tensor, Tensor], draw: Draw) -> Tensor:
        """Return the binary cross-entropy."""
        left, right = self.network.features(batch[0]).chunk(2)
        loss = F.binary_cross_entropy_with_logits(self.network.log_odds(left, right), batch[1])
        self.plateau[3] += loss.detach().double()
        self.plateau[4] += 1
        return loss

    def optimizer(self) -> torch.optim.Optimizer:
        """AdamW on what is not frozen."""
        own = [p for p in self.network.parameters() if p.requires_grad]
        return torch.optim.AdamW(own, lr=self._settings.rate, weight_decay=self._settings.weight_decay)

    def before_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Set the learning rate."""
        s = self._settings
        factor = 1.0
        if s.schedule == "cosine":
            factor = Cosine(1.0, 0.0, 0.1).at(step, s.steps)
        elif s.schedule == "plateau":
            if step and step % _EPOCH == 0:
                self._judge()
            factor = float(self.plateau[0])
        for group in optimizer.param_groups:
            group["lr"] = s.rate * factor

    def _judge(self) -> None:
        """Halve the rate once the mean loss of an epoch has not improved by .01 % for long enough."""
        if dist.is_available() and dist.is_initialized():  # all processes must agree on the rate
            dist.all_reduce(self.plateau[3:])
        factor, best, bad, total, count = self.plateau.tolist()
        loss = total / count
        if loss < best * (1 - 1e-4):
            best, bad = loss, 0.0
        else:
            bad += 1
        if bad > _PATIENCE:
            factor, bad = factor / 2, 0.0
        self.plateau.copy_(torch.tensor([factor, best, bad, 0.0, 0.0], dtype=torch.float64))

    def _augmented(self, x: Tensor, draw: Draw) -> Tensor:
        p = self._settings.augment
        if not p:
            return x
        flips = torch.rand((2, len(x)), generator=draw.generator, device=x.device) < p
        for axis, chosen in zip((3, 2), flips, strict=True):
            x = torch.where(chosen[:, None, None, None], x.flip(axis), x)
        return geometry(x, Geometry(degrees=180, probability=p), draw.generator)
