"""SimCLR: a convolutional network trained to tell which two views show the same image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.interfaces import Count, Unit
from bench.nn.selftrained import SelfTrained

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import Run
    from bench.nn.augment import Geometry, IntensityChanges
    from bench.nn.backbone import Backbone
    from bench.nn.training import Curve, Epochs, Task

Share = Annotated[float, Field(ge=0, le=1)]


class SimClr(SelfTrained):
    """Features before the projection head. The control for methods that owe their results to augmentation.

    The loss and the head are the paper's; its optimizer (LARS) is for batches of thousands, here it is
    AdamW. With `rotate: false` it shows the effect of contrast alone, with `rotate: true` that of
    knowing that an object is the same in any orientation.
    """

    source: ClassVar[str] = "Chen et al., ICML 2020, arXiv 2002.05709"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "timm", "safetensors", "lightning_fabric")

    arch: str = "conv5"
    """conv5 (see width), vgg16, or any model of timm, e.g. resnet18, resnet50."""
    width: Count | None = None
    """Filters of the first layer of conv5, by default 64; features are 8 times as many."""
    image_size: Annotated[int, Field(ge=8, le=1024), Unit("px")] | None = None
    """Side of the views, and of images when they are encoded; the prepared size unless given."""
    normalise: Literal["none", "imagenet"] = "none"
    """Leave pixels in [0, 1], or subtract ImageNet's mean and divide by its standard deviation (std)."""
    rotate: bool = True
    """Rotate views by any angle and mirror them, left to right and top to bottom."""
    area: tuple[Annotated[float, Field(gt=0, le=1)], Annotated[float, Field(gt=0, le=1)]] = (0.08, 1.0)
    """Share of the image that a view shows; images of single small objects need more, e.g. [0.5, 1]."""
    brightness: Share = 0.8
    """Factor between 1 - b and 1 + b on the pixels of a view."""
    contrast: Share = 0.8
    """Factor between 1 - c and 1 + c on their distance to the mean."""
    blur: Annotated[float, Field(ge=0, le=10), Unit("px")] = 2.0
    """Largest standard deviation (sigma) of the Gaussian that blurs every other view; 0: none."""
    temperature: Annotated[float, Field(gt=0)] = 0.5
    """The paper's best for small images (CIFAR-10); 0.1 for ImageNet."""
    outputs: Count = 128
    """Width of the projections that are compared (out_dim)."""
    batch: Annotated[int, Field(ge=2), Unit("images")] = 256
    """Images per step, each with two views."""
    rate: Annotated[float, Field(gt=0)] = 0.001
    """Peak learning rate (lr)."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-6
    """Of AdamW."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.area[0] > self.area[1]:
            raise ValueError(f"an area from {self.area[0]} to {self.area[1]} is empty")
        return self

    def _build(self, shape: tuple[int, int, int], run: Run) -> tuple[Backbone, int]:
        from bench.nn.backbone import Architecture
        from bench.nn.convnets import build

        a = Architecture(self.arch, self.channels, self.normalise, size=self.image_size)
        return build(a, shape, run.seed, width=self.width)

    def _task(
        self, images: Prepared, backbone: Backbone, features: int, epochs: Epochs, steps: int, run: Run
    ) -> Task:
        from bench.nn.schedules import Cosine
        from bench.nn.simclr import SimClrSettings, SimClrTraining

        settings = SimClrSettings(
            view=self._view(),
            intensity=self._intensity(),
            rate=Cosine(self.rate, 0.0, self.warmup),
            weight_decay=self.weight_decay,
            temperature=self.temperature,
            outputs=self.outputs,
        )
        return SimClrTraining(images, backbone, features, settings, epochs=epochs, steps=steps)

    def _learned(self, task: Task, curve: Curve, weights: Path, run: Run) -> Backbone:
        import warnings

        from bench.nn.simclr import SimClrTraining, collapsed

        assert isinstance(task, SimClrTraining)
        run.facts["collapsed"] = collapsed(curve.watched)
        if run.facts["collapsed"]:
            warnings.warn(f"SimCLR collapsed: {run.facts['collapsed']}", stacklevel=1)
        return task.backbone

    def _view(self) -> Geometry:
        from bench.nn.augment import Geometry

        return Geometry(self.area, (3 / 4, 4 / 3), degrees=180.0 if self.rotate else 0.0, flip=self.rotate)

    def _intensity(self) -> IntensityChanges:
        from bench.nn.augment import IntensityChanges

        return IntensityChanges(
            brightness=self.brightness,
            contrast=self.contrast,
            blur=(0.1, self.blur) if self.blur else (0.0, 0.0),
            probability=0.8,
        )
