"""What a suite is: the typed schema of its file, and the checked suite that plans are made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.imaging.selection import Names, Selection, match_names
from bench.interfaces import Adapter, Classifier, Clusterer, Dataset, Encoder, Generator, PairModel, Unit
from bench.metrics.names import Loaded


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""A name that becomes part of a path."""


Decimals = Annotated[int, Field(ge=0, le=9)]


class Limits(_Strict):
    """What one stage may use. A stage that exceeds a limit is ended, with all its processes."""

    wall_s: Annotated[float, Unit("s")] = Field(24 * 3600.0, gt=0)
    """Wall-clock time of one stage."""
    memory_gib: Annotated[float | None, Unit("GiB")] = Field(None, gt=0)
    """Memory of one stage with all its processes; unless given, 90 % of the machine's."""
    threads: int = Field(1, ge=1)
    """Threads of one stage. Part of what makes a result reproducible, so not left to the machine."""
    processes: int = Field(1, ge=1)
    """Processes that train together, each on a GPU of its own where there are GPUs; encoders that cannot
    train in parallel use one. Each draws its own augmentations, so a number above 1 is part of the key."""
    gpu_share: float = Field(1.0, gt=0, le=1)
    """Share of one GPU that a stage takes, or each of its processes; with 0.5, two run on each at once."""


class Bootstrap(_Strict):
    """How intervals of metrics are made: by resampling images."""

    replicates: int = Field(1000, ge=0, le=100_000)
    level: float = Field(0.95, gt=0, lt=1)


class Table(_Strict):
    """One table drawn from the records of the suite."""

    id: FileName
    caption: str = ""
    columns: list[str] = Field(default=[], description="Metrics; unless given, those of the suite.")
    datasets: list[str] = Field(default=[], description="Names of datasets; unless given, all.")
    methods: list[str] = []
    """Names or patterns of methods; unless given, all. Trivial baselines always stay."""
    rows: Literal["method", "dataset"] = "method"
    """What the rows are."""
    group: Literal["blocks", "columns"] = "blocks"
    """How the other one is shown: a block of rows each, or groups of columns side by side."""
    sort: str | None = None
    """Metric by which rows are sorted and ranked, unless given the first column; or `suite`: its order."""
    decimals: Decimals | dict[str, Decimals] = 3
    """Of all metrics, or by metric."""
    marks: list[Literal["best", "second"]] = ["best", "second"]
    """What is marked in each column."""
    units: bool = True
    """Show units in the column headers."""
    intervals: bool = True
    """Show each number with the half-width of its interval."""
    reference: str | None = Field(None, description="A table of results/reference to print below ours.")


class DatasetBlock(BaseModel):
    """One dataset of a suite: an adapter, its parameters, and which images are used for what."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: str = Field(min_length=1, max_length=200)
    use: str
    """Name of the adapter, or a Python file that holds one."""
    root: str | None = None
    """Folder of the data; unless given, $BENCH_DATA/<use>."""
    fit: Selection | None = None
    """Images that methods train on; unless given, all."""
    pretrain: Selection | None = None
    """Images that encoders train on, also those inside pair models, e.g. unlabelled ones; unless given, those
    of `fit`."""
    score: Selection | None = None
    """Images that are clustered and scored; unless given, all."""
    subsets: str | dict[str, Names] | None = None
    """Parts of the scored images: a column of the image set, e.g. `subset`, or classes by name or pattern:
    `{seen: [...], unseen: [...]}`. Pairs of images are also scored within and between them."""
    groups: tuple[str, ...] = ()
    """Columns of the image set, e.g. [bag, day]: how far clusters go with their values is scored too."""
    methods: Names | None = None
    """Methods to run on it, by name or pattern; unless given, all."""
    baselines: bool = True
    """Add the trivial baselines; some need classes."""
    split_seed: int = 0
    """Seed of the random part of `fit` and `score`; the same for every seed of the suite."""
    synthetic: dict[str, Any] | None = None
    """Generate the data instead of reading it: parameters of the dataset's generator."""


class MethodBlock(_Strict):
    """One method, or a grid of methods: encoder + clusterer, pair model + clusterer, or classifier."""

    name: str | None = Field(None, min_length=1, max_length=200)
    encoder: dict[str, Any] | str | None = None
    pair_model: dict[str, Any] | str | None = None
    clusterer: dict[str, Any] | str | None = None
    classifier: dict[str, Any] | str | None = None
    grid: dict[str, list[Any] | dict[str, Any]] = {}
    limits: Limits | None = None


class SuiteBlock(_Strict):
    """A suite file."""

    title: str = ""
    description: str = ""
    seeds: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(default=[0, 1, 2], min_length=1)
    metrics: list[str] = Field(default=["acc", "f1", "nmi", "ari", "ami"], min_length=1)
    """Columns of tables: names of metrics, or Python files that hold one each, e.g. ./fmi.py."""
    noise: Literal["own_cluster", "drop"] = "own_cluster"
    """Images labelled as noise: each counts as its own cluster, or is left out, with the coverage shown."""
    label_free: bool = False
    """Also score clusters in the encoder's features. Needs no classes; required for data without labels."""
    bootstrap: Bootstrap = Bootstrap()
    baselines: bool = True
    """Add the trivial baselines to every dataset."""
    limits: Limits = Limits()
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of neural networks, where the hardware has it."""
    datasets: list[DatasetBlock] = Field(min_length=1)
    methods: list[MethodBlock] = Field(min_length=1)
    tables: list[Table] = []
    profiles: dict[FileName, dict[str, Any]] = {}
    """Named changes to this file, chosen with --profile; datasets and methods are named, not listed, and
    null removes one."""


@dataclass(frozen=True, kw_only=True)
class DatasetEntry:
    """One dataset of a suite, ready to be planned."""

    name: str
    adapter: Dataset
    root: Path | None
    fit: Selection | None
    score: Selection | None
    split_seed: int
    generator: Generator | None
    subsets: str | dict[str, Names] | None = None
    groups: tuple[str, ...] = ()
    pretrain: Selection | None = None
    baselines: bool = True
    methods: Names | None = None


@dataclass(frozen=True)
class Method:
    """One method of a suite: a chain of adapters."""

    name: str
    encoder: Encoder | None = None
    pair_model: PairModel | None = None
    clusterer: Clusterer | None = None
    classifier: Classifier | None = None
    limits: Limits | None = None
    trivial: bool = False

    @property
    def parts(self) -> dict[str, Adapter]:
        """The adapters of the chain, by kind, in the order in which they run."""
        parts: dict[str, Adapter | None] = {
            "encoder": self.encoder,
            "pair_model": self.pair_model,
            "reducer": self.clusterer.reduce if self.clusterer else None,
            "clusterer": self.clusterer,
            "classifier": self.classifier,
        }
        return {kind: part for kind, part in parts.items() if part is not None}


@dataclass(frozen=True)
class Suite:
    """A checked suite: every adapter is loaded and every parameter valid."""

    name: str
    """That of the file, and of the profile after a dash; also of the folder of results."""
    file: Path
    """The suite file, absolute; for a suite from a dict, one that need not exist."""
    profile: str | None
    """Name of the profile that was laid over it."""
    block: SuiteBlock
    """The suite as written: seeds, metrics, tables, limits..."""
    datasets: list[DatasetEntry]
    """In the order of the suite."""
    methods: list[Method]
    """Trivial baselines come last."""
    extra_metrics: tuple[Loaded, ...] = ()
    """Metrics of the suite that do not ship. `block` has them by the names of their columns."""

    @property
    def folder(self) -> Path:
        """Folder of the suite file; relative paths in the file start here."""
        return self.file.parent

    def methods_on(self, entry: DatasetEntry) -> list[Method]:
        """Return the methods that run on a dataset, trivial baselines last if it has any."""
        own = [m for m in self.methods if not m.trivial]
        chosen = {m.name for m in own}
        if entry.methods is not None:
            chosen = match_names(entry.methods, chosen, "method")
        return [m for m in self.methods if (entry.baselines if m.trivial else m.name in chosen)]
