"""What the encoders that learn by reconstruction share: parameters, training, encoding.

Adapters import this file, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Count, Encoder, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from bench.images import Prepared
    from bench.interfaces import Features, Run
    from bench.nn.augment import Geometry
    from bench.nn.autoencoders import Autoencoder

_FILE = "autoencoder.safetensors"


class Reconstructing(Encoder):
    """An encoder whose codes a decoder must reconstruct the images from; subclasses bring the encoder."""

    libraries: ClassVar[tuple[str, ...]] = ("torch", "safetensors", "lightning_fabric")
    seeded: ClassVar[bool] = True
    parallel: ClassVar[bool] = True

    width: Annotated[int, Field(ge=1, le=1024)] = 64
    """Maps of the first layer, which all others are multiples of; 4 to 8 for small machines."""
    image_size: Annotated[int, Field(ge=16, le=1024), Unit("px")] | None = None
    """Side images are resized to, a multiple of 16 (64 is published); the prepared size unless given."""
    channels: Literal["rgb", "native"] = "rgb"
    """Three channels, as published (grey is repeated), or as many as the images have."""
    normalise: Literal["range", "mean"] = "range"
    """Map pixels to [-1, 1], as the published code, or subtract the mean of the training images from
    pixels in [0, 1], as the paper's text."""
    loss: Literal["mse", "min_over_rotations"] = "mse"
    """Mean squared error, as published, or its minimum over the four rotations of an image by 90 degrees,
    for codes that do not depend on its orientation."""
    slope: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Of leaky ReLU below 0. Not stated in the source; the default of Keras, which it used, is 0.3."""
    upsampling: Literal["stride", "nearest"] = "stride"
    """How the decoder's transposed convolutions make images larger, which the source does not state: by
    stride 2, or after repeating pixels."""
    epochs: Annotated[int, Field(ge=0)] = 100
    """Passes over the images; 0 leaves the weights random."""
    steps: Count | None = None
    """Steps to train, instead of epochs."""
    batch: Annotated[Count, Unit("images")] = 32
    """Images per step."""
    rate: Annotated[float, Field(gt=0)] = 0.001
    """Learning rate (lr) of Adam."""
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Training images are magnified by up to this share of their side."""
    degrees: Annotated[float, Field(ge=0, le=180), Unit("degrees")] = 90.0
    """Training images are rotated by up to this angle, either way."""
    shift: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Training images are moved by up to this share of their side, in both directions."""
    flip: bool = True
    """Mirror training images left to right and top to bottom."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train encoder and decoder, and write both.

        Raises `DataError` if the images are fewer than a batch, not square, of channels or a size that
        do not fit, or the loss is not finite.
        """
        from bench.nn.weights import write_tensors

        network = self.built(images.shape, run)
        run.facts["parameters"] = _count(network)
        self.trained(network, images, run)
        write_tensors(weights / _FILE, network)

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return codes, shape (n, length of the code)."""
        from bench.nn.inputs import dtype_of, encode, resized

        network = self.network(images.shape, weights, run)
        network.to(run.device).eval().encoder.to(dtype_of(run))
        side = self._input(images.shape)[1]
        features = encode(images, run, lambda x: network.encode(resized(x, side)))
        run.facts["feature_dimension"] = features.shape[1]
        return features

    def network(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> Autoencoder:
        """Return the autoencoder for images of a shape (c, h, w): trained, or with random weights."""
        from bench.nn.weights import load_strictly, read_tensors

        network = self.built(shape, run)
        if weights is not None:
            file = weights / _FILE
            load_strictly(network, read_tensors(file, "weights"), f"weights: {file}")
        return network

    def built(self, shape: tuple[int, int, int], run: Run) -> Autoencoder:
        """Return an autoencoder with random weights."""
        import torch

        from bench.nn.autoencoders import Autoencoder, Decoder
        from bench.nn.training import seeded

        channels, side = self._input(shape)
        run.facts["image_size"] = side
        with seeded(run.seed):
            encoder, code = self._encoder(channels, side, run)
            decoder = Decoder(code, channels, side, self.width, slope=self.slope, upsampling=self.upsampling)
        half = torch.full((channels, 1, 1), 0.5)
        return Autoencoder(encoder, decoder, half, 0.5 if self.normalise == "range" else 1.0)

    def trained(self, network: Autoencoder, images: Prepared, run: Run) -> None:
        """Train an autoencoder in place."""
        from bench.nn.autoencoders import Images, Reconstruction, channel_means
        from bench.nn.training import Epochs, Steps, train

        if self.normalise == "mean":
            network.offset.copy_(channel_means(images).expand_as(network.offset))
        epochs = Epochs(len(images), self.batch, run.seed)
        steps = self.steps or self.epochs * epochs.per_epoch
        run.facts["steps"] = steps
        if steps:
            shown = Images(images, self._input(images.shape)[1], self.changes())
            task = Reconstruction(shown, network, epochs, loss=self.loss, rate=self.rate)
            train(task, Steps(steps, self.batch), run)

    def changes(self) -> Geometry:
        """Return how training images are changed."""
        from bench.nn.augment import Geometry

        area = ((1 + self.zoom) ** -2, 1.0)
        return Geometry(area=area, degrees=self.degrees, shift=self.shift, flip=self.flip)

    def _encoder(self, channels: int, side: int, run: Run) -> tuple[nn.Module, int]:
        """Return an encoder of images (b, channels, side, side), and the length of its codes."""
        raise NotImplementedError

    def _input(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        from bench.nn.autoencoders import input_shape

        return input_shape(shape, self.channels, self.image_size)


def _count(network: Autoencoder) -> int:
    from bench.nn.autoencoders import published_count

    return published_count(network)
