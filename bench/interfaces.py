"""What an adapter is, and what each kind of adapter promises.

Imports nothing heavy: `bench list` and `bench describe` read adapters without
numpy, pandas or torch. Array types are names for the reader and the type
checker only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    Protocol,
    Self,
    get_args,
    runtime_checkable,
)

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from bench.errors import DataError as DataError  # what adapters raise, so part of the contract

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from bench.adapters.origin import Check, Origin
    from bench.arrays import Attention as Attention
    from bench.arrays import ClassProbabilities as ClassProbabilities
    from bench.arrays import Features as Features
    from bench.arrays import JoinProbabilities as JoinProbabilities
    from bench.arrays import Labels as Labels
    from bench.images import ImageSet, Prepared

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

NO_FILES = "folders without images"
"""Note of an image set: folders of classes in which no file is an image that can be read."""
NOT_READ = "image files of a format that is not read"
"""Note of an image set: files whose ending is that of another image format."""
PADDING = "padding"
"""Note of a prepared image set: the value that pads images differs from what they show at their borders."""
NONE_USABLE = "classes all of whose images were left out"
"""Note of a prepared image set."""


@dataclass(frozen=True)
class Unit:
    """Unit of a parameter, shown by `bench describe`: `size: Annotated[int, Unit("px")] = 64`."""

    name: str
    """As printed after a number: "px", "%", "s"."""


class FileMark:
    """Marks a parameter as a file: its content, not its path, enters the key."""


def _resolve(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    try:
        path = path.expanduser()
    except RuntimeError as e:
        raise ValueError(str(e)) from None
    return path if path.is_absolute() or folder is None else Path(folder) / path


InputFile = Annotated[Path, AfterValidator(_resolve), FileMark()]
"""A file that an adapter reads; a relative path starts at the suite file's folder."""


def marks(field: FieldInfo) -> list[Any]:
    """Return the `Annotated` metadata of a parameter, also inside a union or a list of types."""
    found = list(field.metadata)
    annotations = [field.annotation]
    while annotations:
        annotation = annotations.pop(0)
        for mark in getattr(annotation, "__metadata__", ()):
            found += mark.metadata if isinstance(mark, FieldInfo) else [mark]
        annotations += get_args(annotation)
    return found


Count = Annotated[int, Field(gt=0)]
"""A whole number of at least 1."""
Percent = Annotated[float, Unit("%"), Field(ge=0, le=100)]
"""0 to 100, both included."""
Clusters = Annotated[int, Field(gt=0)] | Literal["classes"]
"""A number of clusters, or "classes": as many as the scored images have classes."""


class Adapter(BaseModel):
    """A dataset or a part of a method; its fields are its parameters in a suite file.

    Fields, with units and defaults, serve validation, `bench describe`, the
    content key and the docs. Adapters never read the command line, the
    environment or the clock; everything they need is in their fields and in
    the `Run` they are given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    version: ClassVar[int] = 1
    """Part of every key: bump it whenever the same parameters would give different results."""
    source: ClassVar[str] = ""
    """Paper or library the adapter follows."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Modules imported lazily. Workers preload them; the record holds their versions. Stages of adapters that
    list torch get a GPU if there is one."""
    seeded: ClassVar[bool] = False
    """Whether results may depend on the seed. If not, all seeds share them."""
    uses_labels: ClassVar[bool] = False
    """Whether the adapter may see the true labels. The record says so."""
    parallel: ClassVar[bool] = False
    """Whether `fit` can train in several processes: it must use `bench.nn.training` throughout."""
    use: ClassVar[str] = ""
    """Name in suite files; set by the registry from the file's name."""
    content_hash: ClassVar[str] = ""
    """Digest of the user's file that defines the adapter; set by the registry, empty for installed ones."""

    def depends_on_seed(self) -> bool:
        """Return whether the result depends on the seed with these parameters."""
        return type(self).seeded

    @classmethod
    def learns(cls) -> bool:
        """Return whether the adapter overrides `fit`, and so has a fit stage."""
        if issubclass(cls, Encoder):
            return cls.fit is not Encoder.fit
        if issubclass(cls, PairModel):
            return cls.fit is not PairModel.fit
        return issubclass(cls, Classifier) and cls.fit is not Classifier.fit

    @classmethod
    def warm_up(cls) -> None:
        """Trigger just-in-time compilation, e.g. by running on a few random points.

        Called once in the process that the stages of a built-in adapter are forked
        from, so that each starts warm. Must leave no threads and no GPU open.
        """


@dataclass(frozen=True)
class Run:
    """What a stage gives the adapter it runs: everything but data and parameters."""

    seed: int
    """32-bit seed derived from the cell's seed and the stage's key."""
    threads: int
    """Threads that the adapter may use."""
    device: str
    """A torch device: "cpu", "cuda", "cuda:1", "mps"."""
    precision: str
    """"float32" or "bfloat16"; the adapter decides on which hardware to use the latter."""
    log: logging.Logger
    """Messages go to the stage's log, in the folder `logs` beside the records."""
    checkpoints: Path
    """A folder that survives a killed stage; empty when the stage first starts."""
    report: Callable[[int, int | None, str], None]
    """`report(done, total, text)`: progress; `total` may be unknown. Cheap to call often."""
    facts: dict[str, Json] = field(default_factory=dict)
    """Metadata of this stage for the record: engine, convergence, loss curve, origin of weights...
    Must be the same when the stage runs again, except for `speed`."""

    encoder_weights: Path | None = None
    """Weights of the nested encoder. Set for `PairModel.fit`, `Classifier.fit` and `Classifier.predict` if
    the encoder is trained."""
    checkpoint_s: float = 60.0
    """Seconds between training checkpoints."""

    @classmethod
    def detached(cls, seed: int = 0, threads: int = 1) -> Self:
        """Return a run outside any stage, on the CPU in float32; reports and metadata are discarded."""
        log = logging.getLogger("bench")
        return cls(seed, threads, "cpu", "float32", log, Path(), lambda done, total, text: None)

    def rng(self) -> np.random.Generator:
        """Return a fresh generator; the same at every call."""
        import numpy as np

        return np.random.default_rng(self.seed)


class Generator(Adapter):
    """Writes a small stand-in for a dataset, in the dataset's real on-disk layout."""

    seeded: ClassVar[bool] = True
    images: Count = 200
    """Number of images to write."""
    seed: int = 0
    """Seed of the generated data, not of the cell: all seeds see the same images."""

    def write(self, root: Path, run: Run) -> None:
        """Write the layout below `root`, an existing empty folder."""
        raise NotImplementedError


class Dataset(Adapter):
    """Reads one on-disk layout."""

    generator: ClassVar[str] = ""
    """Name of the generator that writes stand-ins in this layout; empty if there is none."""
    origin: ClassVar[Origin | None] = None
    """Where the real data is, and its licence; None for generic layouts."""

    size: Annotated[int, Unit("px"), Field(ge=4, le=4096)] = 64
    """Side of the square prepared image."""
    shape: Literal["pad", "stretch"] = "pad"
    """Make images square by padding (keeps the aspect ratio) or by stretching."""
    on_bad_image: Literal["skip", "refuse"] = "skip"
    """An unreadable, truncated, empty or absurdly large image is listed and skipped, or fails the stage."""
    normalise: Literal["none", "per_set", "per_group"] = "none"
    """Scale every channel so that its `percentiles`, over all images or over those of one group (plate,
    run...: `ImageSet.group`), become 0 and the maximum of the pixel type. Padding is ignored."""
    percentiles: tuple[Percent, Percent] = (0.1, 99.9)
    """Mapped to 0 and to the maximum by `normalise`; pixels beyond are clipped."""

    @field_validator("percentiles")
    @classmethod
    def _rising(cls, percentiles: tuple[float, float]) -> tuple[float, float]:
        low, high = percentiles
        if not low < high:
            raise ValueError(f"{low:g} % is not below {high:g} %; write the lower percentile first")
        return percentiles

    def files(self, root: Path) -> Sequence[Path]:
        """List the files below `root` that determine the image set, for its fingerprint.

        Must be fast: no decoding. A change to a listed file invalidates every
        result of the dataset; a change to any other file does not.
        Raises `DataError` if `root` does not hold this layout.
        """
        raise NotImplementedError

    def open(self, root: Path) -> ImageSet:
        """Read the layout without decoding images. Raises `DataError` if `root` does not hold it."""
        raise NotImplementedError

    def checks(self, root: Path, images: ImageSet) -> Sequence[Check]:
        """Compare what `open` found below `root` with the known numbers of the real, complete data.

        May read everything, pixels included. Empty if nothing is known.
        """
        return ()


class Encoder(Adapter):
    """Images to features.

    Raise `DataError` for what the user can fix (wrong images, missing weights), here and in all other
    adapters; any other exception also ends the cell as an error, with its traceback in the log.
    """

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train on `images` and write the result into the empty folder `weights`.

        `images.labels` is None unless the encoder declares `uses_labels`. Encoders without training do not
        override this method; they get no fit stage.
        """
        raise NotImplementedError

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return finite float32 features of shape (n, d), in the order of `images`.

        Parameters
        ----------
        images : to encode, not always those fitted on; `images.batches(256)` yields uint8 or uint16,
            shape (up to 256, channels, size, size).
        weights : the folder that `fit` wrote; None for encoders without a `fit`.
        """
        raise NotImplementedError


class Reducer(Adapter):
    """Features to fewer features; fitted on the features that it reduces."""

    for_maps: ClassVar[bool] = False
    """Whether figures use it, with its defaults, to place images in the plane where a method does not reduce
    to two dimensions itself. True for one built-in reducer."""

    def reduce(self, features: Features, run: Run) -> Features:
        """Return finite float32 features of shape (n, d'), from finite ones of shape (n, d)."""
        raise NotImplementedError


class PairModel(Adapter):
    """Images to join probabilities."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train on `images` and write the result into the folder `weights`."""
        raise NotImplementedError

    def join_probabilities(self, images: Prepared, weights: Path | None, run: Run) -> JoinProbabilities:
        """Return float32 probabilities of shape (n, n), symmetric, diagonal 1."""
        raise NotImplementedError


@dataclass(frozen=True)
class ToCluster:
    """Input of a clusterer: exactly what its method provides; the rest is None."""

    n: int
    """Number of images."""
    n_classes: int | None = None
    """Number of true classes among them, for `k: classes`; None for data without labels."""
    features: Features | None = None
    """Shape (n, d), finite float32; after the reducer, if there is one."""
    join_probabilities: JoinProbabilities | None = None
    """Shape (n, n), float32, symmetric, diagonal 1."""
    labels: Labels | None = None
    """True classes, only for clusterers that declare `uses_labels`."""

    def k(self, wanted: int | Literal["classes"]) -> int:
        """Resolve a `Clusters` parameter to a number of clusters between 1 and n.

        Raises `DataError` for "classes" on data without labels.
        """
        if wanted == "classes":
            if self.n_classes is None:
                raise DataError("k: classes needs labelled images; give k as a number")
            wanted = self.n_classes
        return min(wanted, self.n)


class Clusterer(Adapter):
    """Features or join probabilities to labels."""

    takes: ClassVar[tuple[Literal["features", "join_probabilities", "nothing"], ...]] = ("features",)
    """Accepted input; "nothing" is for trivial baselines."""
    trivial: ClassVar[bool] = False
    """A trivial baseline: planned for every dataset, and the bar every method must clear."""

    reduce: Reducer | None = None
    """Reducer to apply to the features first, e.g. `{use: umap, dims: 2}`; a separate cached stage."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return int64 labels of shape (n,): any non-negative ids, -1 for noise."""
        raise NotImplementedError


class Classifier(Adapter):
    """Labelled images to labels: a supervised baseline."""

    uses_labels: ClassVar[bool] = True
    trivial: ClassVar[bool] = False
    """A trivial baseline: planned for every dataset of a suite that has a classifier."""

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train on labelled `images` and write the result into the folder `weights`."""
        raise NotImplementedError

    def predict(self, images: Prepared, weights: Path, run: Run) -> Labels | ClassProbabilities:
        """Return int64 class indices (positions in `images.classes`) of shape (n,), or probabilities.

        From float32 probabilities of shape (n, classes), the most probable class is predicted (ties: the
        first); they also give the precision-recall curve.
        """
        raise NotImplementedError


@runtime_checkable
class HasNetwork(Protocol):
    """A capability: an encoder whose network can be listed layer by layer, or trained further."""

    def network(self, shape: tuple[int, int, int], weights: Path | None, run: Run) -> nn.Module:
        """Return the network for images of a shape (c, h, w).

        Parameters
        ----------
        weights : what `fit` wrote, or a checkpoint of it; None for the initial network of a training with
            this seed.

        Raises
        ------
        DataError : the network does not take such images, or its weights are not available.
        """


@runtime_checkable
class HasCheckpoints(Protocol):
    """A capability: an encoder that saves states of its network during training."""

    def checkpoints(self, weights: Path) -> Sequence[tuple[float, Path]]:
        """List them in order: the completed fraction of the training, 0 to 1, and a path.

        The path can be passed as `weights` to `encode`, `network` and `attention`.
        """


@runtime_checkable
class HasAttention(Protocol):
    """A capability: an encoder or pair model with a vision transformer."""

    def attention(self, images: Prepared, weights: Path | None, run: Run) -> Attention:
        """Return how much each head of the last block attends to each patch of each image.

        Parameters
        ----------
        weights : as for `HasNetwork.network`.

        Returns
        -------
        float32, shape (n, heads, rows, columns) of patches, not negative. A map may have any scale.

        Raises
        ------
        DataError : the model has no such attention, or its weights are not available.
        """


@runtime_checkable
class StartsFromWeights(Protocol):
    """A capability: an adapter whose parameters name initial weights, in a file or on a hub."""

    def without_start(self) -> Self:
        """Return the adapter with random initial weights, to be used with the weights that `fit` wrote."""


@dataclass(frozen=True)
class FeatureMaps:
    """What the convolutions of a network respond to."""

    inputs: NDArray[np.float32]
    """What the network sees of each image, -1 to 1, shape (n, height, width)."""
    layers: Sequence[NDArray[np.float32]]
    """For each convolution its maps, shape (n, maps, height, width)."""
    note: str = ""
    """A sentence for the caption."""


@runtime_checkable
class HasFeatureMaps(Protocol):
    """A capability: an encoder or classifier with a convolutional network."""

    def feature_maps(self, images: Prepared, weights: Path | None, run: Run) -> FeatureMaps:
        """Return the maps of the convolutions for a few images, in the order in which images pass them."""
