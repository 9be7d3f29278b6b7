"""Any image model of the timm library, frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.interfaces import Count, Encoder, InputFile, Unit

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import Attention, Features, Run
    from bench.nn.backbone import Architecture, Backbone


class Timm(Encoder):
    """Features of a model of the timm library, before its classification head.

    Grey images are repeated to three channels unless `channels` is `native`.
    """

    source: ClassVar[str] = "Wightman, PyTorch Image Models, doi 10.5281/zenodo.4414861"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "timm", "safetensors", "huggingface_hub")
    seeded: ClassVar[bool] = True

    model: str = "vit_small_patch8_224.dino"
    """Name in timm, with the tag of the pretrained weights after a point if there are several."""
    weights: Literal["hub", "random", "file"] = "hub"
    """Pretrained weights from the hub (downloaded once), random ones by the seed, or `weights_file`."""
    weights_file: InputFile | None = None
    """A safetensors file or a torch state dict of the same architecture, also a checkpoint of the public
    code of DINO, at any image size (position embeddings are resampled); with `weights: file`."""
    image_size: Annotated[int, Field(ge=8, le=4096), Unit("px")] | None = None
    """Side images are resized to; the prepared size unless given."""
    channels: Literal["rgb", "native"] = "rgb"
    """Three channels (grey is repeated), or a first layer for the channels that the images have (timm sums
    or repeats the pretrained one)."""
    normalise: Literal["model", "imagenet", "none"] = "model"
    """Subtract a mean and divide by a standard deviation (std): those the pretrained model was trained with,
    ImageNet's, or neither (pixels in [0, 1])."""
    pool: Literal["model", "token", "avg"] = "model"
    """What makes one feature vector of a transformer's tokens: the model's own way, the class token,
    or the mean of the patch tokens."""
    batch: Annotated[Count, Unit("images")] = 128
    """Images per forward pass."""

    @model_validator(mode="after")
    def _file_with_weights_file(self) -> Self:
        if (self.weights == "file") != (self.weights_file is not None):
            raise ValueError("weights: file and weights_file belong together; give both or neither")
        return self

    def depends_on_seed(self) -> bool:
        """Only random weights do."""
        return self.weights == "random"

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return features of shape (n, width of the model).

        Raises `DataError` for an unknown model, weights that cannot be had or do not fit, and
        images whose channels or size the model cannot take.
        """
        from bench.nn.backbone import build, origin
        from bench.nn.inputs import dtype_of, encode
        from bench.nn.weights import fingerprint

        backbone = build(self._architecture(), images.shape, run.seed)
        run.facts["weights"] = self.weights
        run.facts["weights_origin"] = origin(backbone.model) if self.weights == "hub" else None
        run.facts["weights_sha256"] = fingerprint(backbone.model)
        run.facts["parameters"] = sum(p.numel() for p in backbone.parameters())
        run.facts["image_size"] = backbone.size
        run.facts["feature_dimension"] = backbone.width
        backbone.to(run.device).eval().model.to(dtype_of(run))
        return encode(images, run, lambda x: backbone(backbone.fitted(x)), self.batch)

    def network(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> Backbone:
        """Return the model for images of a shape (c, h, w); nothing is learned, so `weights` is None."""
        from bench.nn.backbone import build

        return build(self._architecture(), shape, run.seed)

    def attention(self, images: Prepared, weights: Path | None, run: Run) -> Attention:
        """Return what the class token attends to in the last block, shape (n, heads, rows, columns).

        Raises `DataError` for a model without a class token.
        """
        from bench.nn.attention import class_attention

        return class_attention(self.network(images.shape, weights, run), images, run)

    def without_start(self) -> Self:
        """Return the encoder with random weights, for a network that is given others."""
        return self.model_copy(update={"weights": "random", "weights_file": None})

    def _architecture(self) -> Architecture:
        from bench.nn.backbone import Architecture

        return Architecture(
            model=self.model,
            channels=self.channels,
            normalise=self.normalise,
            pool=self.pool,
            size=self.image_size,
            weights=self.weights,
            weights_file=self.weights_file,
        )
