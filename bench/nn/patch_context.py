"""Predicting the position of a patch relative to another: Doersch, Gupta & Efros, Unsupervised Visual
Representation Learning by Context Prediction, ICCV 2015, arXiv 1505.05192, in a small form for cells.

An image is cut into 3 x 3 cells. A siamese network sees the middle one and one of its four neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does
from torch.nn.modules.batchnorm import _BatchNorm

from bench.errors import DataError
from bench.nn.inputs import resized, take, tensor, with_channels
from bench.nn.training import Draw, Epochs, Task

if TYPE_CHECKING:
    from bench.images import Prepared

Merge = Literal["add", "concat", "sub"]

POSITIONS = ("up", "down", "left", "right")
"""Where the neighbour lies, in the order of the network's outputs."""
CHANCE = 1 / len(POSITIONS)

_CELLS = ((0, 1), (2, 1), (1, 0), (1, 2))
"""Row and column of the neighbours in the grid."""
_POOL = 3
_HIDDEN = 16
_LEAST_FILTERS = 4
_SETTLING = 4096
"""Pairs that statistics of normalisations are taken from after a training."""


class Form(NamedTuple):
    """How images become patches."""

    channels: int
    side: int
    """Of the images, in px; others are resized to it."""
    patch: int
    """Side of the patches, in px: the middle of each cell."""


def form(shape: tuple[int, int, int], channels: int, image_size: int | None, patch_size: int | None) -> Form:
    """Return how images of shape (c, h, w) become patches.

    Raises `DataError` for images too small for a 3 x 3 grid of patches that the network can take, and
    for patches larger than a cell.
    """
    side = image_size or shape[1]
    cell = side // 3
    patch = patch_size or cell
    if patch > cell:
        raise DataError(
            f"patch_size: {patch} px, but a 3 x 3 grid of {side} px images has cells of {cell} px; lower it, "
            f"or raise the dataset's size or image_size to {3 * patch}"
        )
    least = _least_patch()
    if patch < least:
        what = "patch_size" if patch_size else f"image_size: a 3 x 3 grid of {side} px images"
        raise DataError(
            f"{what}: patches of {patch} px are too small, the network needs {least}; raise the dataset's "
            f"size or image_size to {3 * least} or more"
        )
    return Form(channels, side, patch)


def patches(x: Tensor, patch: int) -> Tensor:
    """Cut the middle of every cell of a 3 x 3 grid; a view, nothing is copied.

    Parameters
    ----------
    x : (b, c, h, w). Cells have h // 3 x w // 3 px; what is left over at the bottom and at the right
        (1 px of 400) is not seen.
    patch : side in px; an odd pixel of the edge that is cut off goes from the bottom and the right.

    Returns
    -------
    (b, 3, 3, c, patch, patch), rows of the grid before columns
    """
    b, c, h, w = x.shape
    cells = x[:, :, : h // 3 * 3, : w // 3 * 3].reshape(b, c, 3, h // 3, 3, w // 3).permute(0, 2, 4, 1, 3, 5)
    top, left = (h // 3 - patch) // 2, (w // 3 - patch) // 2
    return cells[..., top : top + patch, left : left + patch]


def pairs(x: Tensor, positions: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """Return the middle patch of every image, and that of its neighbours which `positions` names.

    Parameters
    ----------
    x : (b, c, h, w)
    positions : int64, shape (b,), indices into `POSITIONS`.

    Returns
    -------
    Two of shape (b, c, patch, patch)
    """
    cells = patches(x, patch)
    row, column = torch.tensor(_CELLS, device=x.device)[positions].unbind(1)
    return cells[:, 1, 1], cells[torch.arange(len(x), device=x.device), row, column]


class Siamese(nn.Module):
    """The network of the published table: 14,036 numbers, as Keras counts, for patches of 133 px.

    With `merge="add"` it is symmetric in its two inputs, f(a, b) = f(b, a): up and down, left and
    right differ only by cues to the position in the whole image, e.g. uneven illumination.
    """

    def __init__(self, shape: Form, *, width: int = 64, merge: Merge = "add", dropout: float = 0.25) -> None:
        """`width`: filters of the first layer; the next have a quarter and a sixteenth, 4 at least."""
        super().__init__()
        self.shape, self._merge = shape, merge
        first, second, third = (max(_LEAST_FILTERS, width // k) for k in (1, 4, 16))
        self.branch = nn.Sequential(
            nn.BatchNorm2d(shape.channels),
            *(nn.Conv2d(shape.channels, first, 3, stride=2), nn.ReLU(inplace=True)),
            *(nn.Dropout(dropout), nn.BatchNorm2d(first)),
            *(nn.Conv2d(first, second, 3, stride=2), nn.ReLU(inplace=True)),
            *(nn.Dropout(dropout), nn.BatchNorm2d(second)),
            *(nn.Conv2d(second, third, 3, stride=2), nn.ReLU(inplace=True)),
            nn.BatchNorm2d(third),
        )
        self.pool = nn.Sequential(nn.MaxPool2d(_POOL), nn.Flatten())
        self.width = third * _pooled(shape.patch) ** 2
        """Number of features of a patch: 100 for the published sizes."""
        self.head = nn.Sequential(
            nn.Linear(self.width * (2 if merge == "concat" else 1), _HIDDEN),
            *(nn.ReLU(inplace=True), nn.BatchNorm1d(_HIDDEN)),
            *(nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(inplace=True), nn.BatchNorm1d(_HIDDEN)),
            nn.Linear(_HIDDEN, len(POSITIONS)),
        )

    def forward(self, middle: Tensor, neighbour: Tensor) -> Tensor:
        """Return a score for each of `POSITIONS`, shape (b, 4), from two patches (b, c, p, p)."""
        a, b = self.branch(torch.cat([middle, neighbour])).chunk(2)
        if self._merge == "concat":
            merged = torch.cat([a, b], dim=1)
        else:
            merged = a + b if self._merge == "add" else a - b
        scores: Tensor = self.head(self.pool(merged))
        return scores

    def features(self, x: Tensor) -> Tensor:
        """Return the shared branch's answer to each patch, shape (b, width)."""
        found: Tensor = self.pool(self.branch(x))
        return found

    def fitted(self, x: Tensor) -> Tensor:
        """Return images (b, c, h, w) with the channels and the side that the patches are cut from."""
        return resized(with_channels(x, self.shape.channels), self.shape.side)


class Positions(Task):
    """The training of a siamese network on pairs of patches, four of each image."""

    counts: Tensor

    def __init__(
        self,
        images: Prepared,
        rows: NDArray[np.int64],
        network: Siamese,
        *,
        epochs: Epochs,
        rate: float,
        momentum: float,
    ) -> None:
        """`rows`: positions of the images to train on; `epochs`: of their pairs, four times as many."""
        super().__init__()
        self._images, self._rows, self._epochs = images, rows, epochs
        self._rate, self._momentum = rate, momentum
        self.network = network
        self.register_buffer("counts", torch.zeros(2, dtype=torch.int64))

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
        """Return middle patches, neighbours, and where these lie."""
        chosen = self._epochs.batch(draw.step).reshape(draw.world, -1)[draw.rank]
        return _numbered(self.network, self._images, self._rows, chosen)

    def forward(self, batch: tuple[Tensor, Tensor, Tensor], draw: Draw) -> Tensor:
        """Return the cross-entropy, and count right answers."""
        middle, neighbour, target = batch
        scores = self.network(middle, neighbour).float()
        with torch.no_grad():
            right = (scores.argmax(1) == target).sum()
            self.counts += torch.stack([right, torch.full_like(right, len(target))])
        return F.cross_entropy(scores, target)

    def optimizer(self) -> torch.optim.Optimizer:
        """Stochastic gradient descent with Nesterov's momentum."""
        return torch.optim.SGD(self.parameters(), lr=self._rate, momentum=self._momentum, nesterov=True)

    def watch(self) -> dict[str, float]:
        """Return the accuracy since the last call, with dropout on."""
        right, seen = self.counts.tolist()
        self.counts.zero_()
        return {"accuracy": right / max(1, seen)}


def settle(network: Siamese, images: Prepared, rows: NDArray[np.int64], seed: int, batch: int = 64) -> None:
    """Recompute the statistics of all normalisations, without dropout, from at most 4,096 pairs.

    Those that a training leaves are of values with dropout, whose variances are larger and whose maxima, in
    the pooling, are higher (Li et al., CVPR 2019, arXiv 1801.05134): a network that predicts positions while
    it is trained may fail to with them. No weight changes.
    """
    chosen = np.random.default_rng(seed).permutation(len(rows) * len(POSITIONS))[:_SETTLING]
    network.eval()
    for norm in (m for m in network.modules() if isinstance(m, _BatchNorm)):
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for part in np.array_split(chosen, -(-len(chosen) // batch)):
            middle, neighbour, _ = _numbered(network, images, rows, part)
            network(middle, neighbour)
    network.eval()


def confusion(
    network: Siamese, images: Prepared, rows: NDArray[np.int64], batch: int = 64
) -> NDArray[np.int64]:
    """Count the answers for all four pairs of some images; rows are the truth, columns the answers.

    The network is used as it is trained to be used, without dropout and with running statistics.

    Returns
    -------
    int64, shape (4, 4), in the order of `POSITIONS`
    """
    device = next(network.parameters()).device
    counts = torch.zeros(len(POSITIONS), len(POSITIONS), dtype=torch.int64)
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), batch):
            x = network.fitted(tensor(take(images, rows[start : start + batch]), device))
            for place in range(len(POSITIONS)):
                target = torch.full((len(x),), place, device=device)
                answers = network(*pairs(x, target, network.shape.patch)).argmax(1)
                counts[place] += torch.bincount(answers.cpu(), minlength=len(POSITIONS))
    return np.asarray(counts.numpy())


def _numbered(
    network: Siamese, images: Prepared, rows: NDArray[np.int64], numbers: NDArray[np.int64]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return some of the pairs of the images `rows`, four of each, and where their neighbours lie."""
    device = next(network.parameters()).device
    image, position = np.divmod(numbers, len(POSITIONS))
    x = network.fitted(tensor(take(images, rows[image]), device))
    target = torch.from_numpy(position).to(device)
    return *pairs(x, target, network.shape.patch), target


def _convolved(patch: int) -> int:
    for _ in range(3):
        patch = (patch - 3) // 2 + 1
    return patch


def _pooled(patch: int) -> int:
    return _convolved(patch) // _POOL


def _least_patch() -> int:
    return next(side for side in range(3, 1000) if _pooled(side) > 0)
