"""Patch context: a siamese network trained to predict the position of a patch relative to the middle one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.errors import DataError
from bench.interfaces import Count, Encoder, Unit

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.images import Prepared
    from bench.interfaces import Features, Json, Run
    from bench.nn.patch_context import Siamese

_FILE = "backbone.safetensors"


class PatchContext(Encoder):
    """Features of the branch that both patches pass, after its pooling: 100 for cells of 133 px.

    Defaults are the published network and training on images of 400 px. Its text differs from its table:
    patches lose their edges, so that lines crossing from one to the next do not give the answer away. For
    that reading give `patch_size: 100`. Rate, momentum and dropout are not stated there. After the training
    the statistics of the normalisations are recomputed, without dropout. The record holds the accuracy on
    images left out of the training, beside chance, under `position`.
    """

    version: ClassVar[int] = 2

    source: ClassVar[str] = (
        "Doersch et al., ICCV 2015, arXiv 1505.05192; Unsupervised learning using tumor cell images (table)"
    )
    libraries: ClassVar[tuple[str, ...]] = ("torch", "safetensors", "lightning_fabric")
    seeded: ClassVar[bool] = True

    merge: Literal["add", "concat", "sub"] = "add"
    """How the branches meet. After `add` the order of the two patches is lost: up and down, left and right
    look alike, and accuracy above .5 indicates uneven light or other cues to the position in the image."""
    patch_size: Annotated[int, Field(ge=1), Unit("px")] | None = None
    """Side of a patch, from the middle of its cell of the 3 x 3 grid; unless given, the whole cell."""
    image_size: Annotated[int, Field(ge=3, le=4096), Unit("px")] | None = None
    """Side of the images that patches are cut from; the prepared size unless given. 93 at least."""
    width: Annotated[int, Field(ge=4)] = 64
    """Filters of the first layer; the next two have a quarter and a sixteenth, 4 at least."""
    channels: Literal["rgb", "native"] = "rgb"
    """Three channels (grey is repeated), or a first layer for as many as the images have."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Share of values dropped after the first and the second convolution."""
    encoded: Literal["middle", "mean"] = "middle"
    """An image's features: those of its middle patch, or the mean over its nine."""
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the images that only the accuracy is measured on."""
    epochs: Annotated[int, Field(ge=0)] = 400
    """Times that every pair is seen, four of each image; with 0 the weights stay random."""
    steps: Count | None = None
    """Steps to train, instead of epochs."""
    batch: Annotated[int, Field(ge=2), Unit("pairs")] = 16
    """Pairs of patches per step."""
    rate: Annotated[float, Field(gt=0)] = 0.01
    """Learning rate."""
    momentum: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Nesterov's."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train, and write the network.

        Raises `DataError` if the images are too small for the grid, their channels do not fit, the pairs
        are fewer than a batch, or the training diverges.
        """
        from bench.nn.autoencoders import published_count
        from bench.nn.inputs import threads
        from bench.nn.patch_context import POSITIONS, Positions, settle
        from bench.nn.training import Epochs, Steps, seeded, train
        from bench.nn.weights import fingerprint, write_tensors

        network = self._network(images, None, run)
        run.facts["parameters"] = published_count(network)
        run.facts["start"] = {"weights": "random", "sha256": fingerprint(network)}
        left_out, rows = _split(run.rng().permutation(len(images)), self.held_out)
        steps = 0
        if self.steps or self.epochs:
            epochs = Epochs(len(rows) * len(POSITIONS), self.batch, run.seed)
            steps = self.steps or self.epochs * epochs.per_epoch
            with seeded(run.seed):
                task = Positions(images, rows, network, epochs=epochs, rate=self.rate, momentum=self.momentum)
            train(task, Steps(steps, self.batch), run)
        run.facts["steps"] = steps
        network.to(run.device)
        with threads(run.threads):
            if steps:
                settle(network, images, rows, run.seed)
            run.facts["position"] = _accuracies(network, images, rows, left_out)
        write_tensors(weights / _FILE, network)

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return features of the shared branch, shape (n, d); d is 100 for the published sizes."""
        from torch import Tensor

        from bench.nn.inputs import dtype_of, encode
        from bench.nn.patch_context import patches

        network = self._network(images, weights, run)
        dtype = dtype_of(run)
        network.to(run.device, dtype).eval()

        def forward(x: Tensor) -> Tensor:
            cells = patches(network.fitted(x), network.shape.patch).to(dtype)
            if self.encoded == "middle":
                return network.features(cells[:, 1, 1])
            found = network.features(cells.flatten(0, 2)).float()
            return found.reshape(len(x), 9, -1).mean(1)

        features = encode(images, run, forward, batch=64)
        run.facts["feature_dimension"] = features.shape[1]
        return features

    def network(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> Siamese:
        """Return the trained network for images of a shape (c, h, w); without weights a random one."""
        from bench.nn.patch_context import Siamese, form
        from bench.nn.training import seeded
        from bench.nn.weights import load_strictly, read_tensors

        channels = shape[0]
        if self.channels == "rgb" and channels not in (1, 3):
            raise DataError(
                f"channels: rgb needs images of 1 or 3 channels, these have {channels}; use native, or have "
                "the dataset mix them (rxrx1: channels: rgb)"
            )
        wanted = form(shape, 3 if self.channels == "rgb" else channels, self.image_size, self.patch_size)
        with seeded(run.seed):
            network = Siamese(wanted, width=self.width, merge=self.merge, dropout=self.dropout)
        if weights is not None:
            file = weights / _FILE
            load_strictly(network, read_tensors(file, "weights"), f"weights: {file}")
        return network

    def _network(self, images: Prepared, weights: Path | None, run: Run) -> Siamese:
        if images.pixels.dtype.kind != "u":
            raise DataError(
                f"pixels: {images.pixels.dtype}, in which NaN may hide; prepared images are uint8 or uint16"
            )
        return self.network(images.shape, weights, run)


def _split(order: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the images left out and those to train on, at least one."""
    left_out = min(round(share * len(order)), len(order) - 1)
    return order[:left_out], order[left_out:]


def _accuracies(
    network: Siamese, images: Prepared, rows: NDArray[np.int64], left_out: NDArray[np.int64]
) -> dict[str, Json]:
    """Return the accuracy on held-out images and on as many trained on."""
    from bench.nn.patch_context import CHANCE, POSITIONS, confusion

    trained = confusion(network, images, rows[: max(1, left_out.size)])
    found: dict[str, Json] = {
        "chance": CHANCE,
        "accuracy_trained": round(float(trained.trace() / trained.sum()), 6),
        "accuracy": None,
        "images": int(left_out.size),
    }
    if left_out.size:
        counts = confusion(network, images, left_out)
        found["accuracy"] = round(float(counts.trace() / counts.sum()), 6)
        found["answers"] = {name: counts[i].tolist() for i, name in enumerate(POSITIONS)}
    return found
