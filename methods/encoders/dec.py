"""DEC: an autoencoder whose codes are refined into clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.errors import DataError
from bench.interfaces import Count
from bench.nn.reconstructing import Reconstructing
from bench.nn.refining import Refining

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from bench.images import Prepared
    from bench.interfaces import Features, Run
    from bench.nn.autoencoders import Autoencoder
    from bench.nn.dec import Embedded

_FILE = "dec.safetensors"


class DecEncoder(Refining, Reconstructing):
    """Codes of an autoencoder with a linear bottleneck, trained to reconstruct, then to fall into `k` groups.

    The whole method is this encoder and the clusterer `kmeans` with the same k; with
    `output: assignments` the largest number of a row is DEC's own label. `epochs`, `steps`, `rate` are
    those of the first phase. To refine the features of another encoder, see the clusterer `dec`.
    """

    source: ClassVar[str] = (
        "Xie et al., ICML 2016, arXiv 1511.06335 (DEC); Guo et al., IJCAI 2017 (IDEC); "
        "AILARON's unsupervised plankton framework (settings)"
    )
    libraries: ClassVar[tuple[str, ...]] = (*Reconstructing.libraries, "sklearn.cluster", "timm")

    backbone: str = "conv"
    """`conv` (as `autoencoder`), `rotation` (as `rotation_autoencoder`), or a model of timm, e.g. resnet18,
    with random weights."""
    k: Count = 5
    """Number of clusters."""
    embedding: Count = 10
    """Length of the code, a linear layer after the backbone."""
    refine_steps: Count = 20000
    """Most steps of the second phase."""
    refine_rate: Annotated[float, Field(gt=0)] = 1e-4
    """Learning rate of the second phase."""
    refine_changed: bool = False
    """Change images at random (zoom, rotation...) in the second phase too."""
    output: Literal["embedding", "assignments"] = "embedding"
    """Features are the codes, or the soft assignments, which sum to 1."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train in two phases, and write network and centres.

        Raises `DataError` as other autoencoders, and for fewer images than clusters.
        """
        from bench.nn.autoencoders import Images, published_count
        from bench.nn.dec import Refinement
        from bench.nn.training import Epochs, Steps, train
        from bench.nn.weights import write_tensors

        if self.k > len(images):
            raise DataError(f"k: {self.k} clusters of only {len(images)} images to train on; lower it")
        embedded = self._embedded(images.shape, run)
        run.facts["parameters"] = published_count(embedded)
        self.trained(embedded.network, images, _phase(run, "pretraining"))
        run.facts["pretraining"] = {"steps": run.facts.pop("steps"), "curve": run.facts.pop("curve", None)}
        epochs = Epochs(len(images), self.batch, run.seed)
        settings = self.settings(self.refine_rate, run.seed)
        change = self.changes() if self.refine_changed else None
        task = Refinement(Images(images, self._input(images.shape)[1], change), embedded, epochs, settings)
        run.facts["steps"] = self.refine_steps
        train(task, Steps(self.refine_steps, self.batch), _phase(run, "refinement"))
        run.facts["converged"] = bool(task.stopped)
        run.facts["clusters_used"] = int(task.labels.bincount().count_nonzero())
        write_tensors(weights / _FILE, embedded)

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return codes, shape (n, embedding), or assignments, shape (n, k)."""
        from bench.nn.inputs import dtype_of, encode, resized

        embedded = self._loaded(images.shape, weights, run)
        network, side = embedded.network, self._input(images.shape)[1]
        embedded.to(run.device).eval()
        network.encoder.to(dtype_of(run))
        if self.output == "embedding":
            features = encode(images, run, lambda x: network.encode(resized(x, side)))
        else:
            features = encode(
                images, run, lambda x: embedded.assignments(network.encode(resized(x, side)).float())
            )
        run.facts["feature_dimension"] = features.shape[1]
        return features

    def network(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> Autoencoder:
        """Return the autoencoder for images of a shape (c, h, w): refined, or with random weights."""
        return self._loaded(shape, weights, run).network

    def _loaded(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> Embedded:
        from bench.nn.weights import load_strictly, read_tensors

        embedded = self._embedded(shape, run)
        if weights is not None:
            file = weights / _FILE
            load_strictly(embedded, read_tensors(file, "weights"), f"weights: {file}")
        return embedded

    def _embedded(self, shape: tuple[int, int, int], run: Run) -> Embedded:
        from bench.nn.dec import Embedded

        return Embedded(self.built(shape, run), self.k, self.embedding, self.alpha)

    def _encoder(self, channels: int, side: int, run: Run) -> tuple[nn.Module, int]:
        from torch import nn

        from bench.nn.autoencoders import plain_encoder, rotation_encoder

        backbone: nn.Module
        if self.backbone == "conv":
            backbone, width = plain_encoder(channels, self.width, slope=self.slope), 8 * self.width
        elif self.backbone == "rotation":
            backbone = rotation_encoder(channels, self.width, slope=self.slope, pool="max")
            width = 8 * self.width
        else:
            from bench.nn.backbone import Architecture, build

            a = Architecture(self.backbone, channels="native", normalise="none", size=side)
            backbone = build(a, (channels, side, side), run.seed)
            width = backbone.width
        return nn.Sequential(backbone, nn.Linear(width, self.embedding)), self.embedding


def _phase(run: Run, name: str) -> Run:
    """Return the run with checkpoints of its own for one of two trainings."""
    folder = run.checkpoints / name
    folder.mkdir(parents=True, exist_ok=True)
    return replace(run, checkpoints=folder)
