"""Suite -> cells -> stages. Every stage has a key made of all that decides its result.

Keys depend on adapters (name, declared version, every parameter), the content
of data files, which images are selected, seeds where results depend on them,
and the keys of a stage's inputs. They do not depend on order in the file,
names of methods, comments, worker counts, limits or where data lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.adapters.keys import digest, inputs_of
from bench.adapters.origin import stand_in_marker
from bench.adapters.registry import kind_of
from bench.errors import DataError
from bench.imaging.resize import VERSION as RESIZE_VERSION
from bench.imaging.selection import Selection
from bench.interfaces import Adapter, Clusterer, Encoder, Json, PairModel
from bench.metrics.names import VERSION as METRICS_VERSION
from bench.planning.fingerprint import Fingerprints
from bench.suite.grid import label
from bench.suite.schema import DatasetEntry, Limits, Method, Suite

STAGE_VERSIONS = {"prepare": 1, "select": 1, "score": 1}
"""Raise one when the harness itself does that step differently."""


@dataclass(frozen=True)
class Stage:
    """One cached step, shared by all cells that need it."""

    kind: str
    """synthesize, prepare, fit, encode, pair, reduce, cluster, predict or score."""
    key: str
    dataset: str
    adapter: Adapter | None
    inputs: dict[str, str]
    """Role -> key of the artefact that plays it."""
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    """The cell's seed if the result depends on it."""
    limits: Limits = field(default_factory=Limits)
    root: Path | None = None
    """Folder of the data, for prepare on data that was not generated."""

    @property
    def title(self) -> str:
        """What to show while it runs."""
        own = f" {label(type(self.adapter).use)}" if self.adapter is not None else ""
        seed = f" seed {self.seed}" if self.seed is not None else ""
        return f"{self.kind}{own} · {self.dataset}{seed}"


@dataclass(frozen=True)
class Cell:
    """One dataset, one method, one seed; ends as exactly one record."""

    key: str
    dataset: str
    method: str
    seed: int
    trivial: bool
    synthetic: bool
    uses_labels: bool
    params: dict[str, Any]
    fingerprint: str | None
    stages: tuple[str, ...]
    """Keys of its stages in the order in which they run; the last one scores."""
    blocked: str | None = None
    """Why the cell cannot run at all, e.g. because its data is not there."""


@dataclass(frozen=True)
class Plan:
    """All cells of a suite and the stages that they share."""

    suite: Suite
    cells: list[Cell]
    stages: dict[str, Stage]
    """In an order in which every stage comes after its inputs."""


def make_plan(suite: Suite, fingerprints: Fingerprints) -> Plan:
    """Plan a suite. Reads the content of data files that changed since last time; changes nothing.

    Data that is missing or not in the right layout blocks the cells of that dataset.
    """
    return _Planner(suite, fingerprints).plan()


class _Planner:
    def __init__(self, suite: Suite, fingerprints: Fingerprints) -> None:
        self._suite = suite
        self._fingerprints = fingerprints
        self._stages: dict[str, Stage] = {}
        self._described: dict[int, dict[str, Any]] = {}
        self._kept: list[Adapter] = []  # so that no id() in `_described` is used twice

    def plan(self) -> Plan:
        cells: list[Cell] = []
        for entry in self._suite.datasets:
            start: tuple[str, ...] = ()
            fingerprint, synthetic, blocked = None, entry.generator is not None, None
            try:
                start, fingerprint, synthetic = self._prepared(entry)
            except DataError as e:
                blocked = str(e)
            cells += [
                self._cell(entry, method, seed, start, fingerprint, synthetic, blocked)
                for method in self._suite.methods_on(entry)
                for seed in self._suite.block.seeds
            ]
        return Plan(self._suite, cells, self._stages)

    def _prepared(self, entry: DatasetEntry) -> tuple[tuple[str, ...], str, bool]:
        """Return the stages that prepare the images, the data's fingerprint, and whether it was generated."""
        about: dict[str, Any] = {
            "dataset": self._describe(entry.adapter),
            "resize": RESIZE_VERSION,
            "v": STAGE_VERSIONS["prepare"],
        }
        if entry.generator is not None:
            made = self._stage("synthesize", entry, entry.generator, {})
            data = f"generated:{made}"
            prepared = self._stage(
                "prepare", entry, entry.adapter, {"data": made}, about={**about, "data": data}
            )
            return (made, prepared), data, True
        if entry.root is None:
            raise DataError(
                f"dataset {entry.name!r} has no `root`: set BENCH_DATA (or --data) to the folder that holds "
                f"{label(type(entry.adapter).use)}/, or write `root:` in the suite"
            )
        if not entry.root.is_dir():
            raise DataError(
                f"dataset {entry.name!r}: there is no folder {entry.root}; "
                "set BENCH_DATA (or --data) to the folder that holds it"
            )
        files = _files(entry, entry.root)
        data = self._fingerprints.of(entry.root, files)
        about["data"] = data
        expected = {"fingerprint": data}
        prepared = self._stage("prepare", entry, entry.adapter, {}, expected, about=about, root=entry.root)
        return (prepared,), data, stand_in_marker(entry.root, files) is not None

    def _cell(
        self,
        entry: DatasetEntry,
        method: Method,
        seed: int,
        start: tuple[str, ...],
        fingerprint: str | None,
        synthetic: bool,
        blocked: str | None,
    ) -> Cell:
        chain: list[str] = list(start)
        if blocked is None:
            try:
                chain += self._chain(entry, method, seed, start[-1])
            except DataError as e:
                blocked = str(e)
        describe = self._describe if blocked is None else _describe_blocked
        parts = {kind: describe(part) for kind, part in method.parts.items()}
        params = {
            "dataset": describe(entry.adapter),
            "generator": describe(entry.generator) if entry.generator else None,
            "fit": _selected(entry, "fit"),
            "score": _selected(entry, "score"),
            **({"pretrain": _selected(entry, "pretrain")} if entry.pretrain else {}),
            **parts,
            "metrics": _keyed(self._scoring(entry)),
        }
        names: Json = {"dataset": entry.name, "method": method.name, "seed": seed}
        # the reason counts, so that the record of a cell that stays blocked never says an old one
        about: dict[str, Any] = {"params": params, "blocked": blocked} if blocked else {"score": chain[-1]}
        if synthetic and entry.generator is None:  # the marker is no part of the data's fingerprint
            about["synthetic"] = True
        key = digest({"cell": names, **about})
        labelled = any(type(p).uses_labels for p in method.parts.values())
        return Cell(
            key=key,
            dataset=entry.name,
            method=method.name,
            seed=seed,
            trivial=method.trivial,
            synthetic=synthetic,
            uses_labels=labelled,
            params=params,
            fingerprint=fingerprint,
            stages=() if blocked else tuple(chain),
            blocked=blocked,
        )

    def _chain(self, entry: DatasetEntry, method: Method, seed: int, prepared: str) -> list[str]:
        limits = method.limits or self._suite.block.limits
        images = {"images": prepared}
        precision: dict[str, Any] = {"precision": self._suite.block.precision}
        fit, score = {"fit": _selected(entry, "fit")}, {"score": _selected(entry, "score")}
        chain: list[str] = []

        def add(kind: str, adapter: Adapter | None, inputs: dict[str, str], params: dict[str, Any]) -> str:
            if kind == "fit" and adapter is not None and adapter.parallel and limits.processes > 1:
                params = {**params, "processes": limits.processes}  # each draws its own changes of images
            chain.append(self._stage(kind, entry, adapter, inputs, params, seed, limits))
            return chain[-1]

        model = method.encoder or method.pair_model or method.classifier
        inputs: dict[str, str] = {}
        decided: dict[str, str] = {}
        supervised: dict[str, Any] = {}
        if method.classifier is not None:  # unless the suite says what to fit on, nothing that is scored
            supervised = fit if entry.fit is not None else {**score, "fit": {}, "held_out": True}
        if model is not None:
            weights = {}
            if _learns(model):
                pretrain = {"fit": _selected(entry, "pretrain")} if entry.pretrain else fit
                start = {}
                encoder = getattr(model, "encoder", None)
                if isinstance(encoder, Encoder) and _learns(encoder):
                    start = {"encoder_weights": add("fit", encoder, images, {**pretrain, **precision})}
                chosen = supervised or (pretrain if isinstance(model, Encoder) else fit)
                weights = {"weights": add("fit", model, {**images, **start}, {**chosen, **precision})}
                weights |= start if supervised else {}
            kind, role = _applied(model)
            inputs = {role: add(kind, model, {**images, **weights}, {**score, **precision})}
            if role == "join_probabilities" or self._suite.block.label_free:
                decided = dict(inputs)
        if method.clusterer is not None:
            if method.clusterer.reduce is not None:
                inputs = {"features": add("reduce", method.clusterer.reduce, inputs, {})}
                if self._suite.block.label_free:
                    decided["reduced"] = inputs["features"]
            inputs = {"labels": add("cluster", method.clusterer, {**images, **inputs}, score)}
        scoring = self._scoring(entry) | ({"supervised": True, **supervised} if supervised else {})
        add("score", None, {**images, **inputs, **decided}, {**score, **scoring})
        return chain

    def _scoring(self, entry: DatasetEntry) -> dict[str, Any]:
        block = self._suite.block
        subsets: Any = entry.subsets
        if isinstance(subsets, dict):
            subsets = {name: sorted(classes) for name, classes in subsets.items()}
        extra = [
            {**m.metric.described(), "identity": m.identity, "use": m.use}
            for m in sorted(self._suite.extra_metrics, key=lambda m: m.metric.name)
        ]
        asked = {"subsets": subsets, "groups": list(entry.groups), "label_free": block.label_free}
        asked |= {"extra": extra}
        return {
            "noise": block.noise,
            "replicates": block.bootstrap.replicates,
            "level": block.bootstrap.level,
            "version": METRICS_VERSION,
            **{name: value for name, value in asked.items() if value},
        }

    def _stage(
        self,
        kind: str,
        entry: DatasetEntry,
        adapter: Adapter | None,
        inputs: dict[str, str],
        params: dict[str, Any] | None = None,
        seed: int | None = None,
        limits: Limits | None = None,
        about: dict[str, Any] | None = None,
        root: Path | None = None,
    ) -> str:
        params = params or {}
        seeded = adapter is not None and adapter.depends_on_seed() and kind != "synthesize"
        stage_seed = seed if seeded else None
        if about is None:
            described = self._describe(adapter) if adapter is not None else None
            about = {
                "adapter": described,
                "inputs": dict(inputs),
                "params": _keyed(params),
                "seed": stage_seed,
            }
            about["v"] = STAGE_VERSIONS.get("score" if kind == "score" else "select", 1)
        key = digest({"stage": kind, **about})
        if key not in self._stages:
            limits = limits or self._suite.block.limits
            stage = Stage(kind, key, entry.name, adapter, inputs, params, stage_seed, limits, root)
            self._stages[key] = stage
        return key

    def _describe(self, adapter: Adapter) -> dict[str, Any]:
        if id(adapter) not in self._described:
            self._kept.append(adapter)
            self._described[id(adapter)] = inputs_of(adapter, self._fingerprints.content, _own_stage(adapter))
        return self._described[id(adapter)]


def _keyed(params: dict[str, Any]) -> dict[str, Any]:
    """Return a stage's parameters as its key and records have them: not where a user's metric lies."""
    if "extra" not in params:
        return params
    extra = [{name: v for name, v in metric.items() if name != "use"} for metric in params["extra"]]
    return {**params, "extra": extra}


def _describe_blocked(adapter: Adapter) -> dict[str, Any]:
    """Describe an adapter some of whose files may not be there."""
    return inputs_of(adapter, str, _own_stage(adapter))


def _own_stage(adapter: Adapter) -> tuple[str, ...]:
    """Return the parameters that are a stage of their own."""
    return ("reduce",) if isinstance(adapter, Clusterer) else ()


def _files(entry: DatasetEntry, root: Path) -> Sequence[Path]:
    try:
        return entry.adapter.files(root)
    except DataError:
        raise
    except Exception as e:  # one dataset's adapter, perhaps a user's own, must not end the plan of the others
        raise DataError(f"dataset {entry.name!r}: listing its files failed: {type(e).__name__}: {e}") from e


def _learns(model: Adapter) -> bool:
    """Say whether the adapter has a fit of its own."""
    base = next(c for c in type(model).__mro__ if "fit" in vars(c))
    return not base.__module__.startswith("bench.interfaces")


def _applied(model: Adapter) -> tuple[str, str]:
    """Return the stage that applies a model, and the role that its result plays next."""
    if isinstance(model, Encoder):
        return "encode", "features"
    if isinstance(model, PairModel):
        return "pair", "join_probabilities"
    return "predict", "labels"


def _selected(entry: DatasetEntry, part: str) -> dict[str, Any]:
    """Describe which images are used; the split seed counts only where chance has a part."""
    selection: Selection | None = getattr(entry, part)
    if selection is None:
        return {}
    chosen = selection.model_dump(mode="json", exclude_none=True)
    if chosen.keys() & {"fraction", "max_images"}:
        chosen["split_seed"] = entry.split_seed
        chosen["part"] = "score" if part == "score" else "fit"
    for names in chosen.keys() & {"classes", "exclude_classes"}:
        chosen[names] = sorted(chosen[names])  # sets, whatever their order in the file
    return dict(chosen)


def packed(adapter: Adapter) -> dict[str, Any]:
    """Describe an adapter so that another process can build it: see `bench.stages.run.unpack`."""
    import sys

    cls = type(adapter)
    fields = {n: getattr(adapter, n) for n in cls.model_fields}
    dumped = adapter.model_dump(mode="json", exclude={n for n, v in fields.items() if isinstance(v, Adapter)})
    nested = {n: packed(v) for n, v in fields.items() if isinstance(v, Adapter)}
    local = sys.modules[cls.__module__].__file__ if cls.use.endswith(".py") else None
    return {
        "kind": kind_of(cls),
        "use": str(local or cls.use),
        "identity": cls.content_hash,
        "params": dumped,
        "nested": nested,
    }
