"""Suite -> cells -> stages. The key of a stage covers everything that determines its result.

Keys depend on adapters (name, declared version, every parameter), the content
of data files, which images are selected, seeds where results depend on them,
and the keys of a stage's inputs. They do not depend on order in the file,
method names, comments, worker counts, limits or the location of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.adapters.keys import digest
from bench.adapters.origin import stand_in_marker
from bench.adapters.spec import AdapterSpec
from bench.errors import DataError
from bench.imaging.resize import VERSION as RESIZE_VERSION
from bench.imaging.selection import Selection
from bench.interfaces import Adapter, Clusterer, Encoder, Json
from bench.layouts.textvalues import RULES_VERSION, TABLE_ENDINGS
from bench.metrics.names import VERSION as METRICS_VERSION
from bench.planning import wiring
from bench.planning.fingerprint import Fingerprints
from bench.records.results import PlannedCell, PlanOnDisk
from bench.suite.grid import label
from bench.suite.schema import DatasetEntry, Limits, Method, Suite

STAGE_VERSIONS = {"prepare": 1, "select": 1, "score": 1}
"""Bump one when the harness itself changes how it does that step."""


@dataclass(frozen=True)
class Stage:
    """One cached step, shared by all cells that need it."""

    kind: str
    """synthesize, prepare, fit, encode, pair, reduce, cluster, predict or score."""
    dataset: str
    key: str = ""
    adapter: Adapter | None = None
    spec: AdapterSpec | None = None
    """The adapter, serialized for keys, records and workers."""
    inputs: dict[str, str] = field(default_factory=dict)
    """Role -> key of its artefact."""
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    """The cell's seed if the result depends on it."""
    limits: Limits = field(default_factory=Limits)
    root: Path | None = None
    """Data folder, for prepare on data that was not generated."""

    @property
    def title(self) -> str:
        """Label for progress displays."""
        own = f" {label(type(self.adapter).use)}" if self.adapter is not None else ""
        seed = f" seed {self.seed}" if self.seed is not None else ""
        return f"{self.kind}{own} · {self.dataset}{seed}"


@dataclass(frozen=True)
class Cell:
    """One dataset, one method, one seed; yields exactly one record."""

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
    """Keys of its stages in execution order; the last one scores."""
    blocked: str | None = None
    """Why the cell cannot run, e.g. because its data is missing."""


@dataclass(frozen=True)
class Plan:
    """All cells of a suite and the stages they share."""

    suite: Suite
    cells: list[Cell]
    stages: dict[str, Stage]
    """In topological order: every stage comes after its inputs."""
    files: dict[str, str] = field(default_factory=dict)
    """Content -> path of all files that adapters are loaded from or read: see `AdapterSpec.files`."""

    def on_disk(self) -> PlanOnDisk:
        """Return the part of the plan that the results folder stores."""
        block = self.suite.block
        return PlanOnDisk(
            suite=self.suite.name,
            title=block.title,
            metrics=block.metrics,
            noise=block.noise,
            level=block.bootstrap.level,
            tables=[t.model_dump(mode="json") for t in block.tables],
            cells=[
                PlannedCell(c.key, c.dataset, c.method, c.seed, c.trivial, c.synthetic) for c in self.cells
            ],
            files=self.files,
            roots={
                d.name: str(d.root.absolute())
                for d in self.suite.datasets
                if d.root is not None and d.generator is None
            },
            extra=[m.metric.described() for m in self.suite.extra_metrics],
        )


def make_plan(suite: Suite, fingerprints: Fingerprints) -> Plan:
    """Plan a suite. Rereads data files that changed since the last plan; modifies nothing.

    Missing data, or data in the wrong layout, blocks the cells of that dataset.
    """
    return _Planner(suite, fingerprints).plan()


@dataclass
class _Data:
    """What all cells of one dataset share."""

    entry: DatasetEntry
    synthetic: bool
    """Whether the images are generated."""
    stages: tuple[str, ...] = ()
    """Keys of the stages that prepare the images."""
    fingerprint: str | None = None
    blocked: str | None = None
    steps: dict[str, list[tuple[wiring.Step, Stage, bool]]] = field(default_factory=dict)
    """Method -> its steps; see `_Planner._steps`."""
    params: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Method -> the parameters of its cells; see `_Planner._params`."""


class _Planner:
    def __init__(self, suite: Suite, fingerprints: Fingerprints) -> None:
        self._suite = suite
        self._fingerprints = fingerprints
        self._stages: dict[str, Stage] = {}
        self._specs: dict[int, tuple[Adapter, AdapterSpec]] = {}  # by id(); the reference keeps the id unique

    def plan(self) -> Plan:
        cells: list[Cell] = []
        for entry in self._suite.datasets:
            data = _Data(entry, synthetic=entry.generator is not None)
            try:
                self._prepare(data)
            except DataError as e:
                data.blocked = str(e)
            cells += [
                self._cell(data, method, seed)
                for method in self._suite.methods_on(entry)
                for seed in self._suite.block.seeds
            ]
        files: dict[str, str] = {}
        for _, spec in self._specs.values():
            files |= spec.files
        return Plan(self._suite, cells, self._stages, files)

    def _prepare(self, data: _Data) -> None:
        """Plan the stages that prepare a dataset's images. Raises `DataError` if there is no data."""
        entry = data.entry
        spec = self._spec(entry.adapter)
        limits = self._suite.block.limits
        stage = Stage("prepare", entry.name, adapter=entry.adapter, spec=spec, limits=limits)
        content: dict[str, Any] = {
            "dataset": spec.described,
            "resize": RESIZE_VERSION,
            "v": STAGE_VERSIONS["prepare"],
        }
        if entry.generator is not None:
            generator = self._spec(entry.generator)
            written = {"adapter": generator.described, "inputs": {}, "params": {}, "seed": None}
            synthesis = replace(stage, kind="synthesize", adapter=entry.generator, spec=generator)
            made = self._add(synthesis, {**written, "v": STAGE_VERSIONS["select"]})
            data.fingerprint = f"generated:{made}"
            prepared = self._add(replace(stage, inputs={"data": made}), {**content, "data": data.fingerprint})
            data.stages = (made, prepared)
            return
        root = _root(entry)
        files = _files(entry, root)
        fingerprint = self._fingerprints.of(root, files)
        stage = replace(stage, params={"fingerprint": fingerprint}, root=root)
        if any(path.name.lower().endswith(TABLE_ENDINGS) for path in files):
            content["tables"] = RULES_VERSION
        data.stages = (self._add(stage, {**content, "data": fingerprint}),)
        data.fingerprint, data.synthetic = fingerprint, stand_in_marker(root, files) is not None

    def _cell(self, data: _Data, method: Method, seed: int) -> Cell:
        entry, blocked, chain = data.entry, data.blocked, data.stages
        if blocked is None:
            try:
                chain += tuple(self._chain(data, method, seed))
            except DataError as e:
                blocked = str(e)
        params = self._params(data, method, blocked=blocked is not None)
        names: Json = {"dataset": entry.name, "method": method.name, "seed": seed}
        # the reason is in the key, so a cell blocked for another reason gets a new record
        content: dict[str, Any] = {"params": params, "blocked": blocked} if blocked else {"score": chain[-1]}
        if data.synthetic and entry.generator is None:  # the fingerprint excludes the marker
            content["synthetic"] = True
        return Cell(
            key=digest({"cell": names, **content}),
            dataset=entry.name,
            method=method.name,
            seed=seed,
            trivial=method.trivial,
            synthetic=data.synthetic,
            uses_labels=any(type(p).uses_labels for p in method.parts.values()),
            params=params,
            fingerprint=data.fingerprint,
            stages=() if blocked else chain,
            blocked=blocked,
        )

    def _params(self, data: _Data, method: Method, *, blocked: bool) -> dict[str, Any]:
        """Return every parameter of a cell but its seed, as its record has them."""
        if not blocked and method.name in data.params:
            return data.params[method.name]
        entry, describe = data.entry, _describe_blocked if blocked else self._describe
        params = {
            "dataset": describe(entry.adapter),
            "generator": describe(entry.generator) if entry.generator else None,
            "fit": _selected(entry, "fit"),
            "score": _selected(entry, "score"),
            **({"pretrain": _selected(entry, "pretrain")} if entry.pretrain else {}),
            **{kind: describe(part) for kind, part in method.parts.items()},
            "metrics": _keyed(self._scoring(entry)),
        }
        if not blocked:
            data.params[method.name] = params
        return params

    def _chain(self, data: _Data, method: Method, seed: int) -> list[str]:
        """Plan the stages of one cell beyond those that prepare its images; return their keys in order."""
        if method.name not in data.steps:
            data.steps[method.name] = self._steps(data.entry, method)
        label_free = self._suite.block.label_free
        keys = {wiring.PREPARE: data.stages[-1]}
        for step, stage, seeded in data.steps[method.name]:
            inputs = wiring.inputs(step, keys, label_free=label_free)
            about = {
                "adapter": stage.spec.described if stage.spec is not None else None,
                "inputs": inputs,
                "params": _keyed(stage.params),
                "seed": seed if seeded else None,
                "v": STAGE_VERSIONS.get("score" if stage.kind == "score" else "select", 1),
            }
            key = keys[step.name] = digest({"stage": stage.kind, **about})
            if key not in self._stages:
                own = seed if seeded else None
                self._stages[key] = replace(stage, key=key, inputs=inputs, seed=own)
        return list(keys.values())[1:]

    def _steps(self, entry: DatasetEntry, method: Method) -> list[tuple[wiring.Step, Stage, bool]]:
        """Return what the cells of all seeds share: each step, its stage, and whether the seed counts."""
        block = self._suite.block
        limits = method.limits or block.limits
        given = [part for part in ("fit", "pretrain", "score") if getattr(entry, part) is not None]
        selections = {part: _selected(entry, part) for part in given}
        found = []
        for step in wiring.chain(method.parts):
            adapter = _adapter(step, method)
            if step.stage == "fit" and not _has_fit(step, method):
                continue
            params = wiring.selected(step, selections)
            if step.stage == "score":
                params = wiring.scoring(step, selections, self._scoring(entry))
            if step.precision:
                params["precision"] = block.precision
            if step.stage == "fit" and adapter is not None and adapter.parallel and limits.processes > 1:
                params["processes"] = limits.processes  # each draws its own augmentations
            spec = self._spec(adapter) if adapter is not None else None
            stage = Stage(step.stage, entry.name, "", adapter, spec, params=params, limits=limits)
            found.append((step, stage, adapter is not None and adapter.depends_on_seed()))
        return found

    def _scoring(self, entry: DatasetEntry) -> dict[str, Any]:
        block = self._suite.block
        subsets: Any = entry.subsets
        if isinstance(subsets, dict):
            subsets = {name: sorted(classes) for name, classes in subsets.items()}
        extra = [
            {**m.metric.described(), "identity": m.identity, "use": m.use}
            for m in sorted(self._suite.extra_metrics, key=lambda m: m.metric.name)
        ]
        optional = {"subsets": subsets, "groups": list(entry.groups), "label_free": block.label_free}
        optional |= {"extra": extra}
        return {
            "noise": block.noise,
            "replicates": block.bootstrap.replicates,
            "level": block.bootstrap.level,
            "version": METRICS_VERSION,
            **{name: value for name, value in optional.items() if value},
        }

    def _spec(self, adapter: Adapter) -> AdapterSpec:
        if id(adapter) not in self._specs:
            spec = AdapterSpec.of(adapter, self._fingerprints.content, _own_stage(adapter))
            self._specs[id(adapter)] = adapter, spec
        return self._specs[id(adapter)][1]

    def _describe(self, adapter: Adapter) -> dict[str, Any]:
        return self._spec(adapter).described

    def _add(self, stage: Stage, content: dict[str, Any]) -> str:
        """Add a stage unless it is already planned; return its key, a digest of its kind and `content`."""
        key = digest({"stage": stage.kind, **content})
        self._stages.setdefault(key, replace(stage, key=key))
        return key


def _root(entry: DatasetEntry) -> Path:
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
    return entry.root


def _keyed(params: dict[str, Any]) -> dict[str, Any]:
    """Return a stage's parameters for keys and records: without the paths of users' metrics."""
    if "extra" not in params:
        return params
    extra = [{name: v for name, v in metric.items() if name != "use"} for metric in params["extra"]]
    return {**params, "extra": extra}


def _describe_blocked(adapter: Adapter) -> dict[str, Any]:
    """Describe an adapter whose files may be missing: by path instead of content."""
    return AdapterSpec.of(adapter, str, _own_stage(adapter)).described


def _own_stage(adapter: Adapter) -> tuple[str, ...]:
    """Return the parameters that become separate stages."""
    return ("reduce",) if isinstance(adapter, Clusterer) else ()


def _adapter(step: wiring.Step, method: Method) -> Adapter | None:
    """Return the adapter that performs a step; None for the harness, or without a nested encoder."""
    if step.part is None:
        return None
    nested, _, part = step.part.rpartition(" of ")
    adapter = method.parts[part]
    return getattr(adapter, nested, None) if nested else adapter


def _has_fit(step: wiring.Step, method: Method) -> bool:
    """Return whether a step's adapter is trained; a nested encoder only if its parent is."""
    assert step.part is not None
    parent = method.parts[step.part.rpartition(" ")[2]]
    adapter = _adapter(step, method)
    nested = adapter is not parent
    if nested and not isinstance(adapter, Encoder):
        return False
    assert adapter is not None
    return parent.learns() and (not nested or adapter.learns())


def _files(entry: DatasetEntry, root: Path) -> Sequence[Path]:
    try:
        return entry.adapter.files(root)
    except DataError:
        raise
    except Exception as e:  # one broken adapter, perhaps a user's, must not block other datasets
        raise DataError(f"dataset {entry.name!r}: listing its files failed: {type(e).__name__}: {e}") from e


def _selected(entry: DatasetEntry, part: str) -> dict[str, Any]:
    """Describe which images are used; the split seed matters only for random selections."""
    selection: Selection | None = getattr(entry, part)
    if selection is None:
        return {}
    chosen = selection.model_dump(mode="json", exclude_none=True)
    if chosen.keys() & {"fraction", "max_images"}:
        chosen["split_seed"] = entry.split_seed
        chosen["part"] = "score" if part == "score" else "fit"
    for names in chosen.keys() & {"classes", "exclude_classes"}:
        chosen[names] = sorted(chosen[names])  # sets: order in the file is irrelevant
    return dict(chosen)
