"""Deep embedded clustering: an embedding and cluster centres that refine each other.

Xie, Girshick & Farhadi, ICML 2016, arXiv 1511.06335 (DEC); with the reconstruction kept in the loss, Guo et
al., IJCAI 2017 (IDEC).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does
from torch.nn.modules.batchnorm import _BatchNorm

from bench.errors import DataError
from bench.nn.autoencoders import Autoencoder
from bench.nn.training import Draw, Epochs, Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 1024
"""Features in a batch where nothing is learned."""


class Inputs(Protocol):
    """What is embedded: images (`bench.nn.autoencoders.Images`) or features."""

    def __len__(self) -> int: ...

    def some(self, rows: NDArray[np.int64], device: torch.device, generator: torch.Generator) -> Tensor:
        """Return inputs by position."""

    def all(self, device: torch.device) -> Iterator[Tensor]:
        """Yield all inputs in order, batch by batch."""


class Vectors:
    """Features (n, d) as inputs."""

    def __init__(self, features: NDArray[np.float32]) -> None:
        self._features = features

    def __len__(self) -> int:
        return len(self._features)

    def some(self, rows: NDArray[np.int64], device: torch.device, generator: torch.Generator) -> Tensor:
        """Return rows, shape (b, d)."""
        return torch.from_numpy(self._features[rows]).to(device)

    def all(self, device: torch.device) -> Iterator[Tensor]:
        """Yield all rows."""
        for start in range(0, len(self), _BATCH):
            yield torch.from_numpy(self._features[start : start + _BATCH]).to(device)


class Embedded(nn.Module):
    """An autoencoder and the centres of clusters of its codes: all that is saved."""

    def __init__(self, network: Autoencoder, k: int, code: int, alpha: float) -> None:
        super().__init__()
        self.network = network
        self.centres = nn.Parameter(torch.zeros(k, code))
        self._alpha = alpha

    def assignments(self, codes: Tensor) -> Tensor:
        """Return the soft assignments of codes (b, code) to the clusters, shape (b, k)."""
        return soft_assignments(codes, self.centres, self._alpha)


@dataclass(frozen=True)
class RefinementSettings:
    """How embedding and centres are refined."""

    kl_weight: float
    reconstruction_weight: float
    update: int
    """Steps between updates of the target, each from all inputs."""
    tolerance: float
    """Stop when fewer than this share of the inputs changed their cluster between two updates."""
    n_init: int
    """Starts of the k-means that the centres come from."""
    optimizer: Literal["adam", "sgd"]
    rate: float
    momentum: float
    """Of sgd."""
    seed: int


class Refinement(Task):
    """The second phase of DEC, on an autoencoder that was trained before.

    Statistics of batch normalisations stay as they are: a target from all inputs and assignments in a
    batch would otherwise be those of two different networks. Once no labels change, the steps that are
    left change nothing.
    """

    target: Tensor
    labels: Tensor
    last: Tensor
    changed: Tensor
    stopped: Tensor

    def __init__(
        self, inputs: Inputs, embedded: Embedded, epochs: Epochs, settings: RefinementSettings
    ) -> None:
        super().__init__()
        n, k = len(inputs), len(embedded.centres)
        self._inputs, self._epochs, self._settings = inputs, epochs, settings
        self.embedded = embedded
        if not settings.reconstruction_weight:
            embedded.network.decoder.requires_grad_(False)
        self.register_buffer("target", torch.zeros(n, k))
        self.register_buffer("labels", torch.zeros(n, dtype=torch.long))
        self.register_buffer("last", torch.zeros(()))
        self.register_buffer("changed", torch.tensor(1.0, dtype=torch.float64))
        self.register_buffer("stopped", torch.tensor(False))

    def train(self, mode: bool = True) -> Refinement:
        """Set the mode of all but batch normalisations."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor] | None:
        """Return inputs and their targets; None when it is done."""
        if self.stopped:
            return None
        rows = self._epochs.batch(draw.step).reshape(draw.world, -1)[draw.rank]
        device = self.target.device
        return self._inputs.some(rows, device, draw.generator), self.target[torch.from_numpy(rows).to(device)]

    def forward(self, batch: tuple[Tensor, Tensor] | None, draw: Draw) -> Tensor:
        """Return the weighted sum of divergence and reconstruction error."""
        if batch is None:
            return (
                self.last + 0.0 * torch.stack([p.sum() for p in self.parameters() if p.requires_grad]).sum()
            )
        x = self.embedded.network.prepared(batch[0])
        codes = self.embedded.network.encoder(x).float()
        q = self.embedded.assignments(codes)
        loss = self._settings.kl_weight * divergence(batch[1], q)
        if self._settings.reconstruction_weight:
            found = self.embedded.network.decoder(codes).float()
            loss = loss + self._settings.reconstruction_weight * F.mse_loss(found, x)
        self.last.copy_(loss.detach())
        return loss

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, or gradient descent with momentum."""
        own = [p for p in self.parameters() if p.requires_grad]
        if self._settings.optimizer == "sgd":
            return torch.optim.SGD(own, lr=self._settings.rate, momentum=self._settings.momentum)
        return torch.optim.Adam(own, lr=self._settings.rate)

    @torch.no_grad()
    def before_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Start from k-means; then renew the target every so often, and stop when labels no longer change."""
        if self.stopped or step % self._settings.update:
            return
        self.eval()
        device = self.target.device
        codes = torch.cat([self.embedded.network.encode(x).float() for x in self._inputs.all(device)])
        if step == 0:
            self._start(codes)
        q = self.embedded.assignments(codes)
        labels = q.argmax(1)
        if step:
            self.changed.fill_(float((labels != self.labels).double().mean()))
            self.stopped.fill_(float(self.changed) < self._settings.tolerance)
        self.labels.copy_(labels)
        self.target.copy_(target_distribution(q))

    def before_update(self, step: int) -> None:
        """Let nothing move, not by momentum either, when it is done."""
        if self.stopped:
            for p in self.parameters():
                p.grad = None

    def watch(self) -> dict[str, float]:
        """Return the share of inputs that changed cluster at the last update, and the clusters in use."""
        used = int(self.labels.bincount().count_nonzero())
        return {"changed": round(float(self.changed), 6), "clusters_used": used}

    def _start(self, codes: Tensor) -> None:
        if not codes.isfinite().all():
            raise DataError("training: the codes are not finite; a lower learning rate usually helps")
        centres = _k_means(codes.cpu().numpy(), len(self.embedded.centres), self._settings)
        self.embedded.centres.copy_(torch.from_numpy(centres))


def soft_assignments(codes: Tensor, centres: Tensor, alpha: float) -> Tensor:
    """Return the share of each cluster in each code by Student's t, shape (b, k): equation 1 of DEC."""
    squares = (codes[:, None, :] - centres).square().sum(2)
    log = -(alpha + 1) / 2 * torch.log1p(squares / alpha)
    return log.softmax(1)


def target_distribution(q: Tensor) -> Tensor:
    """Return the target distribution for assignments (n, k) of all inputs, shape (n, k): equation 3 of DEC.

    Squares sharpen; dividing by the clusters' sizes keeps large ones from taking over.
    """
    sizes = q.sum(0).clamp_min(torch.finfo(q.dtype).tiny)  # 0 for a cluster too far from all codes
    weight = q.square() / sizes
    return weight / weight.sum(1, keepdim=True)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Return the mean over inputs of KL(p || q), shapes (b, k): equation 2 of DEC."""
    return F.kl_div(q.clamp_min(1e-12).log(), p, reduction="batchmean")


def linear_autoencoder(features: NDArray[np.float32], dims: int, seed: int) -> Autoencoder:
    """Return the linear autoencoder of features (n, d) with the least error: their principal components.

    The features are centred and divided by one number, so that the mean square of a code's entry is 1: the
    scale of the t distribution. `dims` is at most n and d.
    """
    from sklearn.decomposition import PCA

    found = PCA(dims, random_state=seed).fit(features)
    axes = torch.from_numpy(np.array(found.components_, np.float32))
    scale = float(np.sqrt(np.mean(found.singular_values_**2) / len(features)))
    if scale <= 1e-6 * float(np.abs(features).max()):  # all alike: rounding errors make no clusters
        scale = 1.0
    d = features.shape[1]
    encoder, decoder = nn.Linear(d, dims), nn.Linear(dims, d)
    encoder.load_state_dict({"weight": axes, "bias": torch.zeros(dims)})
    decoder.load_state_dict({"weight": axes.T, "bias": torch.zeros(d)})
    return Autoencoder(encoder, decoder, torch.from_numpy(np.array(found.mean_, np.float32)), scale)


def _k_means(codes: NDArray[np.float32], k: int, settings: RefinementSettings) -> NDArray[np.float32]:
    from sklearn.cluster import KMeans

    found = KMeans(k, n_init=settings.n_init, max_iter=1000, random_state=settings.seed).fit(codes)
    return np.asarray(found.cluster_centers_, np.float32)
