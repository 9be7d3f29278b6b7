"""DeepCluster: a convolutional network trained to predict the clusters of its own features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Count, Unit
from bench.nn.selftrained import SelfTrained

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import Run
    from bench.nn.backbone import Backbone
    from bench.nn.training import Curve, Epochs, Task


class DeepCluster(SelfTrained):
    """Features of the last hidden layer of a network trained by turns: k-means, then one epoch on its labels.

    Defaults are those of the public code of the plankton framework, which differ from its paper (100
    epochs, momentum 0.05) and from the original (rate 0.05, momentum 0.9, weight decay 1e-5).
    """

    source: ClassVar[str] = (
        "Caron et al., ECCV 2018, arXiv 1807.05520; settings of AILARON's unsupervised plankton framework"
    )
    libraries: ClassVar[tuple[str, ...]] = (
        "torch",
        "timm",
        "safetensors",
        "lightning_fabric",
        "scipy.linalg",
        "sklearn.cluster",
    )

    arch: str = "vgg16"
    """conv5 (see width), vgg16 (with batch normalisation; two hidden layers of 4096 on the maps as the
    image size gives them), or any model of timm: resnet18, resnet50, vgg16_bn (maps stretched to 7 x 7)..."""
    width: Count | None = None
    """Filters of the first layer of conv5, published with 64; features are 8 times as many."""
    image_size: Annotated[int, Field(ge=8, le=1024), Unit("px")] | None = None
    """Side images are resized to; the prepared size unless given. Published: 64."""
    normalise: Literal["none", "imagenet"] = "none"
    """Leave pixels in [0, 1], or subtract ImageNet's mean and divide by its standard deviation (std)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of hidden features dropped in training; not published. The original: 0.5."""
    k: Annotated[int, Field(ge=2)] = 200
    """Clusters, which are the classes of the next epoch; more than the kinds expected, and at most as
    many as images."""
    pca: Count | None = 256
    """Components that features are reduced to before k-means; null: no reduction, no whitening."""
    whiten: bool = True
    """Give the components equal variance."""
    l2: bool = True
    """Scale every image's features to length 1 before k-means."""
    iterations: Count = 20
    """Most iterations of k-means."""
    uniform: bool = True
    """Draw a cluster, all equally likely, then one of its images; else every image once per epoch."""
    epochs: Annotated[int, Field(ge=0)] = 35
    """Rounds of k-means and training; with 0 the weights stay random."""
    batch: Annotated[Count, Unit("images")] = 32
    """Images per step."""
    rate: Annotated[float, Field(gt=0)] = 0.005
    """Learning rate (lr)."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.09
    """Of stochastic gradient descent."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of all weights."""
    degrees: Annotated[float, Field(ge=0, le=180), Unit("degrees")] = 90.0
    """Images are rotated by up to this angle, either way."""
    quarters: bool = False
    """Rotate by multiples of 90 degrees too: the other reading of "rotation 90" (then with degrees: 0)."""
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Images are moved by up to this share of their side."""
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Width and height are scaled by factors of up to 1 - zoom .. 1 + zoom."""
    flip: bool = True
    """Mirror images left to right and top to bottom."""

    def _build(self, shape: tuple[int, int, int], run: Run) -> tuple[Backbone, int]:
        from bench.nn.backbone import Architecture
        from bench.nn.convnets import build

        a = Architecture(self.arch, self.channels, self.normalise, size=self.image_size)
        return build(a, shape, run.seed, width=self.width, dropout=self.dropout)

    def _task(
        self, images: Prepared, backbone: Backbone, features: int, epochs: Epochs, steps: int, run: Run
    ) -> Task:
        from bench.nn.augment import Geometry
        from bench.nn.deepcluster import Clustering, DeepClusterSettings, DeepClusterTraining

        view = Geometry(degrees=self.degrees, quarters=self.quarters, flip=self.flip, shift=self.shift)
        settings = DeepClusterSettings(
            clustering=Clustering(self.k, self.pca, self.whiten, self.l2, self.iterations),
            seed=run.seed,
            rate=self.rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            uniform=self.uniform,
            view=view,
            zoom=self.zoom,
        )
        return DeepClusterTraining(images, backbone, features, settings, epochs=epochs, steps=steps)

    def _learned(self, task: Task, curve: Curve, weights: Path, run: Run) -> Backbone:
        from bench.nn.deepcluster import DeepClusterTraining

        assert isinstance(task, DeepClusterTraining)
        run.facts["reassignments"] = task.reassignments()
        return task.backbone
