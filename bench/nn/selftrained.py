"""Base of encoders whose backbone learns from images without labels: parameters, training, encoding.

Adapters import this file, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Count, Encoder, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import Features, Run
    from bench.nn.backbone import Backbone
    from bench.nn.training import Curve, Epochs, Task

_FILE = "backbone.safetensors"


class SelfTrained(Encoder):
    """An encoder whose features are those of a backbone; subclasses bring the backbone and its training."""

    seeded: ClassVar[bool] = True
    parallel: ClassVar[bool] = True

    arch: str
    """Name of the network."""
    image_size: Annotated[int, Field(ge=8, le=1024), Unit("px")] | None = None
    """Side images are resized to; the prepared size unless given."""
    channels: Literal["rgb", "native"] = "rgb"
    """Three channels (grey is repeated), or a first layer for as many as the images have."""
    epochs: Annotated[int, Field(ge=0)] = 100
    """Passes over the images; with 0 the weights stay random."""
    steps: Count | None = None
    """Steps to train, instead of epochs."""
    batch: Annotated[Count, Unit("images")]
    """Images per step."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train, and write the backbone.

        Raises `DataError` if the images are fewer than a batch, the network does not take them, or the
        training diverges.
        """
        from bench.nn.training import Epochs, Steps, seeded, train
        from bench.nn.weights import write_tensors

        backbone, features = self._built(images.shape, run)
        run.facts["parameters"] = sum(p.numel() for p in backbone.parameters())
        steps = 0
        if self.steps or self.epochs:
            epochs = Epochs(len(images), self.batch, run.seed)
            steps = self.steps or self.epochs * epochs.per_epoch
            with seeded(run.seed):
                task = self._task(images, backbone, features, epochs, steps, run)
            curve = train(task, Steps(steps, self.batch, *self._parts()), run)
            backbone = self._learned(task, curve, weights, run)
        run.facts["steps"] = steps
        write_tensors(weights / _FILE, backbone)

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return the features of the backbone, shape (n, features of the network)."""
        from bench.nn.inputs import dtype_of, encode

        backbone = self.network(images.shape, weights, run)
        backbone.to(run.device).eval().model.to(dtype_of(run))
        features = encode(images, run, lambda x: backbone(backbone.fitted(x)))
        run.facts["feature_dimension"] = features.shape[1]
        return features

    def network(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> Backbone:
        """Return the backbone for images of a shape (c, h, w): trained, or as the training starts."""
        from bench.nn.weights import load_strictly, read_tensors

        backbone, _ = self._built(shape, run)
        if weights is not None:
            file = weights if weights.is_file() else weights / _FILE  # a checkpoint is a file
            load_strictly(backbone, read_tensors(file, "weights"), f"weights: {file}")
        return backbone

    def _built(self, shape: tuple[int, int, int], run: Run) -> tuple[Backbone, int]:
        """Return the backbone that training starts from, and record in the facts what it is."""
        from bench.nn.weights import fingerprint

        backbone, features = self._build(shape, run)
        start = getattr(self, "weights", "random")
        run.facts["start"] = {"weights": start, "sha256": fingerprint(backbone.model)}
        return backbone, features

    def _build(self, shape: tuple[int, int, int], run: Run) -> tuple[Backbone, int]:
        """Return a backbone for images of a shape (c, h, w), and its number of features."""
        raise NotImplementedError

    def _task(
        self, images: Prepared, backbone: Backbone, features: int, epochs: Epochs, steps: int, run: Run
    ) -> Task:
        """Return the training of a backbone."""
        raise NotImplementedError

    def _parts(self) -> tuple[int, float | None]:
        """Return the micro-batches of a step, and the largest norm of the gradients."""
        return 1, None

    def _learned(self, task: Task, curve: Curve, weights: Path, run: Run) -> Backbone:
        """Return the backbone of a finished training; record in the facts how it went."""
        raise NotImplementedError
