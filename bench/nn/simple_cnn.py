"""A small convolutional network that classifies images or the cells in them, and its training.

Zihan Tang, Project 2 of Applied Data Science, 2024 (Cell Painting): two convolutions, two linear layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # as everybody does

from bench.errors import DataError
from bench.nn.augment import Geometry, geometry
from bench.nn.inputs import resized, take, tensor, threads
from bench.nn.schedules import Cosine
from bench.nn.training import Draw, Epochs, Task

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Run

_BATCH = 32
"""Images per pass when predicting: the first maps of 32 images of 256 px take half a GiB."""


class SimpleCnn(nn.Module):
    """Images (b, channels, size, size) -> log-odds (b, outputs).

    With the published sizes, one channel of 256 px and one output, it has 268,510,977 parameters, nearly
    all in the first linear layer: 128 * 64 * 64 -> 512.
    """

    def __init__(self, channels: int, outputs: int, size: int, width: int = 64, hidden: int = 512) -> None:
        """Raise `DataError` for a size that cannot be halved twice."""
        super().__init__()
        if size % 4 or size < 4:
            raise DataError(f"image_size: {size} px cannot be halved twice; give a multiple of 4")
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fc1 = nn.Linear(2 * width * (size // 4) ** 2, hidden)
        self.fc2 = nn.Linear(hidden, outputs)

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what both convolutions see: (b, width, size, size) and (b, 2 width, size/2, size/2)."""
        first = F.relu(self.conv1(x))
        return first, F.relu(self.conv2(F.max_pool2d(first, 2)))

    def forward(self, x: Tensor) -> Tensor:
        """Return log-odds: one number for two classes, one per class for more."""
        flat = F.max_pool2d(self.maps(x)[1], 2).flatten(1)
        odds: Tensor = self.fc2(F.relu(self.fc1(flat)))
        return odds


@dataclass(frozen=True)
class View:
    """How images in [0, 1] become what the network sees: about -1 to 1, of one size."""

    size: int
    grey: bool
    """One channel: the median over the channels (of an even number the lower of the middle two)."""
    clip: float | None = None
    """Values above it become white, as those above 255 do where 16-bit images are read as 8-bit ones."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return images of shape (b, channels or 1, size, size)."""
        if self.grey and x.shape[1] > 1:
            x = x.median(dim=1, keepdim=True).values
        if self.clip is not None:
            x = x.clamp(max=self.clip) / self.clip
        return (resized(x, self.size) - 0.5) / 0.5


class ClassifierInputs(Protocol):
    """What is classified: whole images, or parts of them."""

    image: NDArray[np.int64]
    """Shape (m,): the image that each part belongs to."""

    def pixels(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return some parts, uint8 or uint16, shape (b, c, h, w)."""


class Whole:
    """Every image is one part."""

    def __init__(self, images: Prepared) -> None:
        self._images = images
        self.image = np.arange(len(images))

    def pixels(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return some images."""
        return take(self._images, positions)


class EveryImage(Epochs):
    """Epochs whose last batch holds what is left, so that no image is left out."""

    def __init__(self, n: int, batch: int, seed: int) -> None:
        super().__init__(n, min(batch, n), seed)

    @property
    def per_epoch(self) -> int:
        """Batches per epoch, the last one perhaps smaller."""
        return -(-self._n // self._batch)


@dataclass(frozen=True)
class CnnSettings:
    """How a network is trained."""

    epochs: int
    batch: int
    rate: float
    """Learning rate."""
    faithful: bool
    """The published loss (cross-entropy of probabilities, logarithms clamped at -100), constant rate."""
    augment: bool
    """Mirror images, and rotate them by multiples of 90 degrees."""
    seed: int = 0
    """Of the order of the images."""


class Classifying(Task):
    """The training; `history` holds what table 1 of the source shows."""

    history: Tensor
    predicted: Tensor
    recent: Tensor
    weights: Tensor

    def __init__(
        self,
        shown: ClassifierInputs,
        targets: NDArray[np.int64],
        network: SimpleCnn,
        view: View,
        settings: CnnSettings,
        weights: NDArray[np.float64],
    ) -> None:
        """`targets`: class of each part, 0 to k - 1; `weights`: of the classes in the loss, shape (k,)."""
        super().__init__()
        self.network = network
        self._shown, self._targets, self._view, self._settings = shown, targets, view, settings
        self._epochs = EveryImage(len(targets), settings.batch, settings.seed)
        self.steps = settings.epochs * self._epochs.per_epoch
        self.register_buffer("weights", torch.from_numpy(weights).float())
        self.register_buffer("history", torch.zeros(settings.epochs, 2))  # sum of losses, images right
        self.register_buffer("predicted", torch.zeros(settings.epochs, len(weights), dtype=torch.int64))
        self.register_buffer("recent", torch.zeros(2))  # right, and all, since the last `watch`

    def batch(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Return images (b, c, size, size) and their classes (b,)."""
        rows = self._epochs.batch(draw.step)
        rows = rows[draw.rank % len(rows) :: draw.world]
        x = self._view(tensor(self._shown.pixels(rows), self.weights.device))
        if self._settings.augment:
            x = geometry(x, Geometry(quarters=True, flip=True), draw.generator)
        return x, torch.from_numpy(self._targets[rows]).to(x.device)

    def forward(self, batch: tuple[Tensor, Tensor], draw: Draw) -> Tensor:
        """Return the loss, and note it with what was predicted."""
        x, target = batch
        odds = self.network(x)
        with torch.autocast(x.device.type, enabled=False):
            loss = self._loss(odds.float(), target)
        with torch.no_grad():
            found = class_probabilities(odds).argmax(dim=1)
            right = (found == target).sum()
            epoch = draw.step // self._epochs.per_epoch
            self.history[epoch] += torch.stack([loss.detach().float(), right.float()])
            self.predicted[epoch] += torch.bincount(found, minlength=len(self.weights))
            self.recent += torch.stack([right, torch.full_like(right, len(target))])
        return loss

    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, as published."""
        return torch.optim.Adam(self.parameters(), lr=self._settings.rate)

    def before_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Set the learning rate."""
        s = self._settings
        rate = s.rate if s.faithful else Cosine(s.rate, 0.0, 0.1).at(step, self.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate

    def watch(self) -> dict[str, float]:
        """Return the share of the images since the last `watch` that were predicted right."""
        right, seen = self.recent.tolist()
        self.recent.zero_()
        return {"accuracy": right / max(1.0, seen)}

    def table(self) -> dict[str, list[float]]:
        """Return mean loss of the batches, and percentage of images predicted right, of every epoch."""
        batches, n = self._epochs.per_epoch, self.predicted.sum(dim=1).cpu()
        loss, right = self.history.double().cpu().T
        return {
            "loss": [round(v, 4) for v in (loss / batches).tolist()],
            "accuracy": [round(v, 2) for v in (100 * right / n).tolist()],
        }

    def only(self) -> int | None:
        """Return the class that all images of the last epoch were predicted as; None if there are several."""
        found = self.predicted[-1].nonzero().ravel().tolist() if len(self.predicted) else []
        return int(found[0]) if len(found) == 1 else None

    def _loss(self, odds: Tensor, target: Tensor) -> Tensor:
        if self._settings.faithful:
            return F.binary_cross_entropy(torch.sigmoid(odds[:, 0]), target.float())
        if odds.shape[1] == 1:
            losses = F.binary_cross_entropy_with_logits(odds[:, 0], target.float(), reduction="none")
        else:
            losses = F.cross_entropy(odds, target, reduction="none")
        return (losses * self.weights[target]).mean()


def class_probabilities(odds: Tensor) -> Tensor:
    """Return probabilities, shape (b, k), from log-odds of shape (b, 1) for two classes or (b, k)."""
    if odds.shape[1] > 1:
        return odds.float().softmax(dim=1)
    p = torch.sigmoid(odds.float())
    return torch.cat([1 - p, p], dim=1)


def predict(network: SimpleCnn, view: View, shown: ClassifierInputs, run: Run) -> NDArray[np.float64]:
    """Return the mean probabilities over the parts of each image, shape (images, classes)."""
    network.to(run.device).eval()
    parts = []
    n = len(shown.image)
    with threads(run.threads), torch.inference_mode():
        for start in range(0, n, _BATCH):
            rows = np.arange(start, min(start + _BATCH, n))
            x = view(tensor(shown.pixels(rows), run.device))
            parts.append(class_probabilities(network(x)).double().cpu().numpy())
            run.report(int(rows[-1]) + 1, n, "images")
    found = np.concatenate(parts)
    counts = np.bincount(shown.image)
    sums = np.stack([np.bincount(shown.image, column) for column in found.T], axis=1)
    votes: NDArray[np.float64] = sums / counts[:, None]
    return votes
