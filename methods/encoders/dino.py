"""DINO: a vision transformer trained on the images themselves, by self-distillation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from bench.errors import DataError
from bench.interfaces import Count, InputFile, Unit
from bench.nn.selftrained import SelfTrained

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import Attention, Run
    from bench.nn.backbone import Architecture, Backbone
    from bench.nn.dino import Crops, Schedules
    from bench.nn.training import Curve, Epochs, Task

Share = Annotated[float, Field(ge=0, le=1)]
Area = tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]]


class Dino(SelfTrained):
    """Features of the class token of a vision transformer after training by DINO.

    Shares (warm-up, freezing) are of all steps, so settings serve one epoch and a hundred. With
    `epochs: 0` the weights are used as they come. Unlike the public code: crops are rotated and mirrored
    both ways, not shifted in hue or solarised; no blocks are dropped; `clip` is of all gradients together.
    """

    version: ClassVar[int] = 2
    source: ClassVar[str] = "Caron et al., ICCV 2021, arXiv 2104.14294; defaults of its public code"
    libraries: ClassVar[tuple[str, ...]] = (
        "torch",
        "timm",
        "safetensors",
        "lightning_fabric",
        "huggingface_hub",
    )

    arch: str = "vit_small_patch16_224"
    """A vision transformer of timm; with `weights: hub`, tagged with pretrained weights, e.g.
    vit_small_patch8_224.dino."""
    width: Count | None = None
    """Features of the transformer, if not those of `arch`; together with heads, for small machines."""
    depth: Count | None = None
    """Blocks of the transformer, if not those of `arch`."""
    heads: Count | None = None
    """Attention heads, if not those of `arch`."""
    patch: Annotated[Count, Unit("px")] | None = None
    """Side of a patch, if not that of `arch`."""
    weights: Literal["random", "hub", "file"] = "random"
    """What training starts from."""
    weights_file: InputFile | None = None
    """A safetensors file or a torch state dict of the same architecture, also a checkpoint of the public
    code of DINO, at any image size (position embeddings are resampled); with `weights: file`."""
    image_size: Annotated[int, Field(ge=8, le=1024), Unit("px")] | None = None
    """Side of the large crops, and of images when they are encoded; the prepared size unless given."""
    normalise: Literal["imagenet", "none"] = "imagenet"
    """Subtract ImageNet's mean and divide by its standard deviation (std), or leave pixels in [0, 1]."""
    batch: Annotated[Count, Unit("images")] = 64
    """Images per step."""
    accumulate: Count = 1
    """Micro-batches that a step is split into where memory is short (gradient accumulation)."""
    small_crops: Annotated[int, Field(ge=0, le=32)] = 8
    """Small crops of each image, beside the two large ones (local_crops_number); 0: none."""
    small_size: Annotated[int, Field(ge=8, le=1024), Unit("px")] | None = None
    """Side of the small crops; about 3/7 of the large ones unless given (96 for 224, 32 for 64)."""
    large_area: Area = (0.4, 1.0)
    """Share of the image that a large crop shows, least and most (global_crops_scale)."""
    small_area: Area = (0.05, 0.4)
    """Share of the image that a small crop shows, least and most (local_crops_scale)."""
    degrees: Annotated[float, Field(ge=0, le=180), Unit("degrees")] = 180.0
    """Crops are rotated by up to this angle; the original, for photographs, does not rotate."""
    flip: bool = True
    """Mirror crops left to right and top to bottom."""
    brightness: Share = 0.4
    """Factor between 1 - b and 1 + b on the pixels of a crop."""
    contrast: Share = 0.4
    """Factor between 1 - c and 1 + c on their distance to the mean."""
    blur: Annotated[float, Field(ge=0, le=10), Unit("px")] = 2.0
    """Largest standard deviation (sigma) of the Gaussian that blurs every other crop; 0: none."""
    outputs: Count = 65536
    """Prototypes (out_dim); about 1,000 or fewer for trainings of minutes."""
    hidden: Count = 2048
    """Width of the head (hidden_dim)."""
    bottleneck: Count = 256
    """Width of the head's last layer before the prototypes (bottleneck_dim)."""
    batch_norm: bool = False
    """Batch normalisation in the head (use_bn_in_head): helps small sets and short trainings."""
    rate: Annotated[float, Field(gt=0)] = 0.0005
    """Peak learning rate (lr) per 256 images of a batch."""
    final_rate: Annotated[float, Field(ge=0)] = 1e-6
    """Learning rate at the end (min_lr)."""
    warmup: Share = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.04
    """At the start; biases and other vectors do not decay."""
    final_weight_decay: Annotated[float, Field(ge=0)] = 0.4
    """At the end."""
    momentum: Share = 0.996
    """Of the teacher, at the start (momentum_teacher); 1 at the end."""
    teacher_temperature: Annotated[float, Field(gt=0)] = 0.04
    """Of the teacher, after the warm-up: lower is sharper."""
    warmup_teacher_temperature: Annotated[float, Field(gt=0)] = 0.04
    """Of the teacher, at the start."""
    temperature_warmup: Share = 0.0
    """Share of the steps in which the teacher's temperature goes from the one to the other."""
    temperature: Annotated[float, Field(gt=0)] = 0.1
    """Of the student."""
    freeze_last: Share = 0.01
    """Share of the steps in which the prototypes are frozen (freeze_last_layer)."""
    clip: Annotated[float, Field(gt=0)] | None = 3.0
    """Largest norm of all gradients together; the public code clips each tensor on its own."""
    snapshots: tuple[Share, ...] = ()
    """Shares of the training, in whole percent, after which the teacher's backbone is saved too, for figures
    of how it learned: [0, 0.2, 1]."""

    @field_validator("snapshots")
    @classmethod
    def _whole_percents(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        for share in shares:
            if abs(100 * share - round(100 * share)) > 1e-6:
                raise ValueError(f"{share} is not a whole percent of the training; write 0.2 or 0.25")
        return tuple(sorted(set(shares)))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.weights == "file") != (self.weights_file is not None):
            raise ValueError("weights: file and weights_file belong together; give both or neither")
        if self.batch % self.accumulate:
            raise ValueError(f"batch {self.batch} does not divide into {self.accumulate} parts")
        for low, high in (self.large_area, self.small_area):
            if low > high:
                raise ValueError(f"an area from {low} to {high} is empty")
        if self.snapshots and not (self.steps or self.epochs):
            raise ValueError("snapshots are of a training; epochs: 0 trains nothing")
        return self

    def checkpoints(self, weights: Path) -> list[tuple[float, Path]]:
        """List the snapshots by the share of the training that was done."""
        return sorted((share, weights / name) for name, share in self._snapshot_files().items())

    def attention(self, images: Prepared, weights: Path | None, run: Run) -> Attention:
        """Return what the class token attends to in the last block, shape (n, heads, rows, columns)."""
        from bench.nn.attention import class_attention

        return class_attention(self.network(images.shape, weights, run), images, run)

    def without_start(self) -> Self:
        """Return the encoder with random weights to start from."""
        return self.model_copy(update={"weights": "random", "weights_file": None})

    def _build(self, shape: tuple[int, int, int], run: Run) -> tuple[Backbone, int]:
        from bench.nn.backbone import build

        backbone = build(self._architecture(), shape, run.seed, dynamic_img_size=True)
        if not getattr(backbone.model, "num_prefix_tokens", 0):
            raise DataError(
                f"arch: {self.arch} is not a vision transformer with a class token; name one, e.g. vit_*"
            )
        return backbone, backbone.width

    def _task(
        self, images: Prepared, backbone: Backbone, features: int, epochs: Epochs, steps: int, run: Run
    ) -> Task:
        from bench.nn.dino import DinoSettings, DinoTraining

        settings = DinoSettings(
            crops=self._crops(backbone),
            schedules=self._schedules(),
            outputs=self.outputs,
            hidden=self.hidden,
            bottleneck=self.bottleneck,
            batch_norm=self.batch_norm,
            temperature=self.temperature,
            accumulate=self.accumulate,
        )
        task = DinoTraining(
            images,
            backbone,
            settings,
            epochs=epochs,
            steps=steps,
            # beside the checkpoints, so that a training killed later finds those it has passed
            snapshots={
                run.checkpoints / name: round(s * steps) for name, s in self._snapshot_files().items()
            },
        )
        task.keep_snapshots(0)
        return task

    def _parts(self) -> tuple[int, float | None]:
        return self.accumulate, self.clip

    def _learned(self, task: Task, curve: Curve, weights: Path, run: Run) -> Backbone:
        import warnings

        from bench.nn.backbone import Backbone
        from bench.nn.dino import DinoTraining, collapsed
        from bench.util.durable import write_whole

        assert isinstance(task, DinoTraining)
        run.facts["collapsed"] = collapsed(curve.watched)
        if run.facts["collapsed"]:
            warnings.warn(f"DINO collapsed: {run.facts['collapsed']}", stacklevel=1)
        for name in self._snapshot_files():
            write_whole(weights / name, (run.checkpoints / name).read_bytes())
        backbone = task.teacher[0]
        assert isinstance(backbone, Backbone)
        return backbone

    def _snapshot_files(self) -> dict[str, float]:
        return {f"backbone-{round(100 * share):03d}.safetensors": share for share in self.snapshots}

    def _architecture(self) -> Architecture:
        from bench.nn.backbone import Architecture

        named = {
            "embed_dim": self.width,
            "depth": self.depth,
            "num_heads": self.heads,
            "patch_size": self.patch,
        }
        options: tuple[tuple[str, Any], ...] = tuple((k, v) for k, v in named.items() if v is not None)
        return Architecture(
            model=self.arch,
            channels=self.channels,
            normalise=self.normalise,
            pool="token",
            size=self.image_size,
            weights=self.weights,
            weights_file=self.weights_file,
            options=options,
        )

    def _crops(self, backbone: Backbone) -> Crops:
        from bench.nn.augment import Geometry, IntensityChanges
        from bench.nn.dino import Crops

        patch = int(backbone.model.patch_embed.patch_size[0])  # type: ignore[union-attr,index]  # of any ViT
        small = self.small_size or max(1, round(backbone.size * 3 / 7 / patch + 0.25)) * patch
        if small % patch:
            raise DataError(f"small_size: {small} px does not divide into {patch} px patches of {self.arch}")
        return Crops(
            large=backbone.size,
            small=small,
            small_count=self.small_crops,
            large_area=self.large_area,
            small_area=self.small_area,
            geometry=Geometry(degrees=self.degrees, flip=self.flip),
            intensity=IntensityChanges(
                brightness=self.brightness,
                contrast=self.contrast,
                blur=(0.1, self.blur) if self.blur else (0.0, 0.0),
                probability=0.8,
            ),
        )

    def _schedules(self) -> Schedules:
        from bench.nn.dino import Schedules
        from bench.nn.schedules import Cosine, Linear

        peak = self.rate * self.batch / 256
        return Schedules(
            rate=Cosine(peak, min(self.final_rate, peak), self.warmup),
            weight_decay=Cosine(self.weight_decay, self.final_weight_decay),
            momentum=Cosine(self.momentum, 1.0),
            teacher_temperature=Linear(
                self.warmup_teacher_temperature, self.teacher_temperature, self.temperature_warmup
            ),
            freeze_last=self.freeze_last,
        )
