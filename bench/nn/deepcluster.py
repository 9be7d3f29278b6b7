"""Clustering and classifying in turns: Caron et al., Deep Clustering for Unsupervised Learning of Visual
Features, ECCV 2018, arXiv 1807.05520. The clusters of one epoch's features are the next epoch's classes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.errors import DataError
from bench.interfaces import Json
from bench.nn.augment import Geometry, geometry
from bench.nn.backbone import Backbone
from bench.nn.inputs import take, tensor
from bench.nn.training import Draw, Epochs, Task

if TYPE_CHECKING:
    from bench.images import Prepared

_FEW = 100_000
"""Images up to which k-means uses all of them at each iteration; beyond, mini-batches."""


@dataclass(frozen=True)
class Clustering:
    """How images become pseudo-labels."""

    k: int
    pca: int | None = 256
    """Components that features are reduced to; fewer where they have fewer. None: no reduction."""
    whiten: bool = True
    """Give the components equal variance."""
    l2: bool = True
    """Scale every image's features to length 1."""
    iterations: int = 20


def normalised(x: NDArray[np.float32], c: Clustering) -> NDArray[np.float32]:
    """Reduce, whiten and scale features, shape (n, d) -> (n, at most pca), as `c` says.

    Components without variance are left out; if there are no others, one column of zeros remains.
    """
    if c.pca is not None:
        x = _principal(x, min(c.pca, *x.shape), c.whiten)
    if c.l2:
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.float32(1e-12))
    return x


def assign(x: NDArray[np.float32], k: int, iterations: int, seed: int) -> tuple[NDArray[np.int64], int]:
    """Cluster features of shape (n, d), n >= k, by k-means; leave no cluster empty.

    Returns
    -------
    Labels 0 .. k-1, shape (n,), and how many clusters were empty before.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    settings: dict[str, Any] = {"n_clusters": k, "n_init": 1, "max_iter": iterations, "random_state": seed}
    engine = KMeans(**settings) if len(x) <= _FEW else MiniBatchKMeans(**settings, batch_size=8192)
    with threadpool_limits(1), warnings.catch_warnings():  # the sums of several threads differ in bits
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer different points than clusters
        labels = np.asarray(engine.fit(x).labels_, np.int64)
    return repaired(labels, x, k)


def repaired(labels: NDArray[np.int64], x: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], int]:
    """Fill every empty cluster with half of the largest one, cut across towards its farthest member."""
    labels = labels.copy()
    sizes = np.bincount(labels, minlength=k)
    empty = np.flatnonzero(sizes == 0)
    for cluster in empty:
        largest = int(sizes.argmax())
        members = np.flatnonzero(labels == largest)
        offsets = x[members] - x[members].mean(axis=0)
        farthest = offsets[np.square(offsets).sum(axis=1).argmax()]
        moved = members[np.argsort(offsets @ farthest, kind="stable")[(members.size + 1) // 2 :]]
        labels[moved] = cluster
        sizes[largest], sizes[cluster] = members.size - moved.size, moved.size
    return labels, int(empty.size)


class Members:
    """The images of each cluster of a labelling 0 .. k-1 without empty clusters."""

    def __init__(self, labels: NDArray[np.int64]) -> None:
        self._order = np.argsort(labels, kind="stable")
        self._sizes = np.bincount(labels)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw positions of images: a cluster, all being equally likely, then one of its images."""
        clusters = rng.integers(self._sizes.size, size=count)
        rows: NDArray[np.int64] = self._order[self._starts[clusters] + rng.integers(self._sizes[clusters])]
        return rows


def zoomed(x: Tensor, zoom: float, generator: torch.Generator) -> Tensor:
    """Scale images (b, c, h, w) about their middle by 1 - zoom .. 1 + zoom, width and height apart."""
    draws = torch.rand(len(x), 2, device=x.device, generator=generator)
    factors = 1 + zoom * (2 * draws - 1)
    rows = torch.zeros(len(x), 2, 3, device=x.device)
    rows[:, 0, 0], rows[:, 1, 1] = factors[:, 0], factors[:, 1]
    grid = F.affine_grid(rows, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


@dataclass(frozen=True)
class DeepClusterSettings:
    """How a backbone is trained."""

    clustering: Clustering
    seed: int
    rate: float
    """Learning rate."""
    momentum: float
    weight_decay: float = 0.0
    uniform: bool = True
    """Draw a cluster, all equally likely, then one of its images; else every image once per epoch."""
    view: Geometry = field(default_factory=Geometry)
    """How images are rotated, mirrored and moved."""
    zoom: float = 0.0
    """Width and height are scaled by 1 - zoom .. 1 + zoom."""


class DeepClusterTraining(Task):
    """The training of a backbone; at the start of each epoch new pseudo-labels and a new classifier."""

    labels: Tensor
    assigned: Tensor
    history: Tensor

    def __init__(
        self,
        images: Prepared,
        backbone: Backbone,
        features: int,
        settings: DeepClusterSettings,
        *,
        epochs: Epochs,
        steps: int,
    ) -> None:
        """Raise `DataError` if there are fewer images than clusters. `features`: those of the backbone."""
        super().__init__()
        n, k = len(images), settings.clustering.k
        if k > n:
            raise DataError(f"k: {k} clusters, but only {n} images to train on; lower k")
        self._images, self._epochs, self._settings = images, epochs, settings
        self.backbone = backbone
        self.head = nn.Linear(features, k)
        self.register_buffer("labels", torch.zeros(n, dtype=torch.int64))
        self.register_buffer("assigned", torch.tensor(-1))
        self.register_buffer("history", torch.full((-(-steps // epochs.per_epoch), 3), torch.nan))
        self._members: Members | None = None

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Return images of this process, changed by chance, and their pseudo-labels."""
        rows = self._rows(draw)
        x = self.backbone.fitted(tensor(take(self._images, rows), self.labels.device))
        if self._settings.zoom:
            x = zoomed(x, self._settings.zoom, draw.generator)
        return geometry(x, self._settings.view, draw.generator), self.labels[torch.from_numpy(rows)]

    def forward(self, batch: tuple[Tensor, Tensor], draw: Draw) -> Tensor:
        """Return the cross-entropy of the classifier and the pseudo-labels."""
        x, target = batch
        return F.cross_entropy(self.head(self.backbone(x)).float(), target)

    def optimizer(self) -> torch.optim.Optimizer:
        """Stochastic gradient descent at one rate."""
        s = self._settings
        return torch.optim.SGD(self.parameters(), lr=s.rate, momentum=s.momentum, weight_decay=s.weight_decay)

    def before_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """At an epoch's first step recluster all images and reset the classifier.

        Depends only on the state before the step, so that a restart here repeats it.
        """
        epoch, index = divmod(step, self._epochs.per_epoch)
        if index == 0 and int(self.assigned) < epoch:
            self._assign(epoch)
            self._new_head(epoch, optimizer)
            self.assigned.fill_(epoch)

    def reassignments(self) -> dict[str, Json]:
        """Return by epoch, from 1: NMI of old and new pseudo-labels, clusters repaired, largest share."""
        rows = self.history.cpu().tolist()
        named = zip(("nmi", "repaired", "largest_share"), zip(*rows, strict=True), strict=True)
        return {
            name: [[i + 1, round(v, 6)] for i, v in enumerate(values) if not np.isnan(v)]
            for name, values in named
        }

    @torch.no_grad()
    def features(self) -> NDArray[np.float32]:
        """Return the backbone's features of all images as they are, shape (n, d)."""
        self.backbone.eval()
        device = self.labels.device
        parts = [
            self.backbone(self.backbone.fitted(tensor(pixels, device))).float().cpu().numpy()
            for pixels in self._images.batches(128)
        ]
        return np.concatenate(parts)

    def _assign(self, epoch: int) -> None:
        found = torch.zeros(len(self.labels) + 3, dtype=torch.float64)
        several = dist.is_available() and dist.is_initialized()
        if not several or dist.get_rank() == 0:
            found = torch.from_numpy(self._clustered(epoch))
        if several:
            found = found.to(self.labels.device)
            dist.broadcast(found, 0)
        self.history[epoch] = found[:3].to(self.history)
        self.labels.copy_(found[3:].round())
        self._members = None

    def _clustered(self, epoch: int) -> NDArray[np.float64]:
        """Return NMI, repaired clusters, largest share and, behind them, the new labels."""
        x = self.features()
        if not np.isfinite(x).all():
            raise DataError(
                f"training: features are not finite at epoch {epoch + 1}; a lower rate usually helps"
            )
        c = self._settings.clustering
        seed = int(np.random.default_rng([self._settings.seed, epoch]).integers(2**31))
        labels, empty = assign(normalised(x, c), c.k, c.iterations, seed)
        nmi = _nmi(self.labels.cpu().numpy(), labels) if epoch else np.nan
        share = np.bincount(labels).max() / labels.size
        return np.concatenate([[nmi, empty, share], labels])

    @torch.no_grad()
    def _new_head(self, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        seed = int(np.random.default_rng([self._settings.seed, epoch, 1]).integers(2**62))
        weight = torch.randn(self.head.weight.shape, generator=torch.Generator().manual_seed(seed))
        self.head.weight.copy_(0.01 * weight)
        self.head.bias.zero_()
        for parameter in self.head.parameters():  # its momentum belongs to the old classifier
            optimizer.state.pop(parameter, None)

    def _rows(self, draw: Draw) -> NDArray[np.int64]:
        rows: NDArray[np.int64] = self._epochs.batch(draw.step).reshape(draw.world, -1)[draw.rank]
        if not self._settings.uniform:
            return rows
        if self._members is None:
            self._members = Members(self.labels.cpu().numpy())
        return self._members.draw(rows.size, draw.rng)


def _principal(x: NDArray[np.float32], dims: int, whiten: bool) -> NDArray[np.float32]:
    from scipy.linalg import eigh, svd

    n, d = x.shape
    mean = x.mean(axis=0, dtype=np.float64)
    if n <= d:
        _, lengths, rows = svd(x - mean, full_matrices=False)
        variance, axes = np.square(lengths[:dims]) / n, rows[:dims].T
    else:
        covariance = np.zeros((d, d))
        for start in range(0, n, 4096):
            part = x[start : start + 4096] - mean
            covariance += part.T @ part
        variance, axes = eigh(covariance / n, subset_by_index=[d - dims, d - 1])
    positive = variance > 1e-10 * float(
        np.square(x, dtype=np.float64).sum(axis=1).mean()
    )  # more than rounding
    if not positive.any():
        return np.zeros((n, 1), np.float32)
    axes, variance = axes[:, positive], variance[positive]
    if whiten:
        axes = axes / np.sqrt(variance)
    components: NDArray[np.float32] = (x - mean.astype(np.float32)) @ axes.astype(np.float32)
    return components


def _nmi(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    from bench.metrics.contingency import contingency
    from bench.metrics.information import information, normalized_mutual_information

    return float(normalized_mutual_information(information(contingency(a, b)))[0])
