"""Base of classifiers with a small convolutional network: parameters, training, prediction.

Adapters import this file, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.errors import DataError
from bench.interfaces import Classifier, Count, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import ClassProbabilities, FeatureMaps, Run
    from bench.learning.supervised import Labelled
    from bench.nn.simple_cnn import ClassifierInputs, SimpleCnn, View

_WEIGHTS, _CLASSES = "network.safetensors", "classes.json"
EIGHT_BITS = 255
"""The largest value that a 16-bit image keeps when it is read as an 8-bit one."""


class CnnClassifier(Classifier):
    """Two convolutions and two linear layers on whole images or on cells; subclasses say which."""

    libraries: ClassVar[tuple[str, ...]] = ("torch", "safetensors", "lightning_fabric")
    seeded: ClassVar[bool] = True

    part_shown: ClassVar[str] = ""
    """Sentence that says which part of an image its feature maps are of."""

    faithful: bool = False
    """The published pipeline, faults included: values above 255 become white, which leaves nothing of most
    16-bit images (the dataset needs `normalise: none`); cross-entropy of probabilities that may be exactly 0
    or 1, where it has no gradient; no class weights. Of two classes only."""
    width: Annotated[int, Field(ge=1, le=1024)] = 64
    """Maps of the first convolution; the second has twice as many."""
    hidden: Count = 512
    """Width of the first linear layer."""
    channels: Literal["grey", "native"] = "grey"
    """One channel, the median over those of the image, as published; or all of them."""
    epochs: Count = 20
    """Passes over the images."""
    batch: Annotated[Count, Unit("images")] = 32
    """Images (or cells) per step; the last batch of an epoch, and all of a smaller set, may be fewer."""
    rate: Annotated[float, Field(gt=0)] | None = None
    """Peak learning rate (lr) of Adam; unless given, 0.001 if faithful, as published, else 0.0001."""
    class_weights: Literal["balanced", "none"] | None = None
    """Weight of an image in the loss. balanced: so that all classes count the same; the default unless
    faithful."""
    augment: bool | None = None
    """Mirror training images and rotate them by multiples of 90 degrees; the default unless faithful."""

    @model_validator(mode="after")
    def _as_published(self) -> Self:
        if self.faithful and (self.class_weights == "balanced" or self.augment or self.channels == "native"):
            raise ValueError(
                "faithful: the published pipeline has no class weights, no augmentation and grey images"
            )
        return self

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train, and write network and names of the classes.

        Raises `DataError` for fewer than two classes (or, faithful, more), a size that does not fit, or a
        loss that is not finite.
        """
        import warnings

        import numpy as np

        from bench.learning.supervised import balanced, labelled
        from bench.nn.simple_cnn import Classifying, CnnSettings
        from bench.nn.training import Steps, train
        from bench.nn.weights import write_tensors
        from bench.util.durable import seal, write_whole

        known = labelled(images, self._name())
        k = len(known.classes)
        if self.faithful and k > 2:
            raise DataError(
                f"{self._name()}: faithful: the published network has 2 classes, these images {k}"
            )
        network, view = self._built(images, k, run)
        shown = self.shown(known.images, run)
        targets = known.targets[shown.image]
        weighted = not self.faithful and self.class_weights != "none"
        of_class = balanced(targets, k) if weighted else np.ones(k)
        augment = not self.faithful if self.augment is None else self.augment
        rate = self.rate or (0.001 if self.faithful else 0.0001)
        settings = CnnSettings(self.epochs, self.batch, rate, self.faithful, augment, run.seed)
        run.facts["parameters"] = sum(p.numel() for p in network.parameters())
        run.facts["classes"] = _sizes(known)
        run.facts["class_weights"] = [round(float(w), 6) for w in of_class]
        task = Classifying(shown, targets, network, view, settings, of_class)
        train(task, Steps(task.steps, min(self.batch, len(targets))), run)
        run.facts["steps"] = task.steps
        run.facts["epochs"] = task.table()
        only = task.only()
        run.facts["collapsed"] = None if only is None else f"all were predicted as {known.classes[only]!r}"
        if only is not None:
            warnings.warn(
                f"{self._name()} collapsed: in the last epoch {run.facts['collapsed']}", stacklevel=1
            )
        write_tensors(weights / _WEIGHTS, network)
        write_whole(weights / _CLASSES, seal({"classes": known.classes}))

    def predict(self, images: Prepared, weights: Path, run: Run) -> ClassProbabilities:
        """Return the mean probabilities over the parts of each image, shape (n, classes)."""
        from bench.learning.supervised import by_class
        from bench.nn.simple_cnn import predict

        network, view, classes = self.loaded(images, weights, run)
        return by_class(
            predict(network, view, self.shown(images, run), run), classes, images.classes, self.use
        )

    def feature_maps(self, images: Prepared, weights: Path | None, run: Run) -> FeatureMaps:
        """Return the maps of both convolutions; of an image in parts, those of its first, the largest."""
        import numpy as np
        import torch

        from bench.interfaces import FeatureMaps
        from bench.nn.inputs import tensor, threads

        assert weights is not None
        network, view, _ = self.loaded(images, weights, run)
        shown = self.shown(images, run)
        first = np.searchsorted(shown.image, np.arange(len(images)))
        with threads(run.threads), torch.inference_mode():
            seen = view(tensor(shown.pixels(first), "cpu"))
            found = network.eval().maps(seen)
        return FeatureMaps(seen.mean(dim=1).numpy(), [m.numpy() for m in found], self.part_shown)

    def loaded(self, images: Prepared, weights: Path, run: Run) -> tuple[SimpleCnn, View, list[str]]:
        """Return the trained network, the view that it has of images like these, and its classes."""
        from bench.nn.weights import load_strictly, read_tensors
        from bench.util.durable import unseal

        file = weights / _CLASSES
        classes = [str(c) for c in unseal(file.read_bytes(), str(file))["classes"]]
        network, view = self._built(images, len(classes), run)
        file = weights / _WEIGHTS
        load_strictly(network, read_tensors(file, "weights"), f"weights: {file}")
        return network, view, classes

    def shown(self, images: Prepared, run: Run) -> ClassifierInputs:
        """Return what of the images is classified."""
        raise NotImplementedError

    def _side(self) -> int:
        """Return the side in px of what the network sees."""
        raise NotImplementedError

    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    def _built(self, images: Prepared, classes: int, run: Run) -> tuple[SimpleCnn, View]:
        import numpy as np

        from bench.nn.simple_cnn import SimpleCnn, View
        from bench.nn.training import seeded

        channels = 1 if self.channels == "grey" else images.shape[0]
        clip = EIGHT_BITS / float(np.iinfo(images.pixels.dtype).max) if self.faithful else None
        with seeded(run.seed):
            outputs = 1 if classes == 2 else classes
            network = SimpleCnn(channels, outputs, self._side(), self.width, self.hidden)
        return network, View(self._side(), self.channels == "grey", clip)


def _sizes(known: Labelled) -> dict[str, int]:
    import numpy as np

    counts = np.bincount(known.targets).tolist()
    return dict(zip(known.classes, counts, strict=True))
