"""A run as comparisons see it: which cells have which scores, and what each stage cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import DataError
from bench.metrics.metric import Metric
from bench.metrics.names import find_or_unknown
from bench.records.record import CellRecord, StageRecord, read
from bench.records.results import PlannedCell, Results
from bench.regression.finding import Side
from bench.util.durable import Damaged

Group = tuple[str, str]
"""Dataset and method."""
Label = tuple[str, str, str, str]
"""Dataset, method, stage, adapter: what identifies the costs of a stage, whatever its key."""


@dataclass(frozen=True)
class CellFacts:
    """One planned cell."""

    status: str
    """As in the record; else `missing` or `damaged`."""
    error: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """By column: `ami`, or `part.metric`."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Standard error over images of each metric that has an interval."""
    params: Mapping[str, Any] = field(default_factory=dict)
    data: str | None = None
    """Fingerprint of the data."""

    @property
    def scored(self) -> bool:
        """Whether there are scores."""
        return bool(self.metrics)


@dataclass(frozen=True)
class Cost:
    """One measurement of one stage."""

    label: Label
    key: str
    started: str
    machine: tuple[str, ...]
    """Processor, device, threads, version of PyTorch: times on different ones are not compared."""
    values: Mapping[str, float]
    """time in seconds; memory and GPU memory in bytes."""


@dataclass(frozen=True)
class RunResults:
    """The results of one run, or of several runs of one night."""

    side: Side
    suite: str
    metrics: Sequence[str]
    groups: Mapping[Group, Mapping[int, CellFacts]]
    """Cells by seed, in the order of the plan."""
    costs: Sequence[Cost]
    versions: Mapping[str, str]
    """Of Python and of the libraries that any stage used."""
    finished: str
    """When its last stage started, UTC, ISO 8601."""
    declared: Mapping[str, Metric] = field(default_factory=dict)
    """Metrics of the suite that do not ship, by name."""

    @property
    def columns(self) -> dict[str, Metric]:
        """What each of `metrics` means."""
        return {m: find_or_unknown(m, self.declared) for m in self.metrics}


def find_run(folder: Path) -> Path:
    """Return the results folder of one suite: `folder`, or the only suite below it.

    Raises `DataError` if there is none, or more than one.
    """
    if (folder / "plan.json").is_file():
        return folder
    found = sorted(p.parent for p in folder.glob("*/plan.json"))
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{folder}: holds {len(found)} suites; name one, e.g. {found[0]}")
    raise DataError(f"{folder}: no run here; give a folder such as results/quickstart")


def read_run(folder: Path) -> RunResults:
    """Read the results folder of one suite. Raises `DataError`, or `Damaged` if its plan is."""
    results = Results(folder.parent, folder.name)
    plan = results.read_plan()
    records: dict[str, CellRecord | str] = {c.key: _record(results, c.key) for c in plan.cells}
    whole = [r for r in records.values() if isinstance(r, CellRecord)]
    groups: dict[Group, dict[int, CellFacts]] = {}
    for cell in plan.cells:
        groups.setdefault((cell.dataset, cell.method), {})[cell.seed] = _facts(records[cell.key])
    stages = [s for r in whole for s in r.stages]
    place = whole[0].place if whole else None
    side = Side(
        name=str(folder),
        commit=place.git_commit if place else None,
        dirty=bool(place and any(r.place.git_dirty for r in whole)),
        started=min((s.started for s in stages), default=""),
        host=place.host if place else "",
    )
    versions = {name: v for s in stages for name, v in s.place.versions.items()}
    return RunResults(
        side=side,
        suite=plan.suite,
        metrics=plan.metrics,
        groups=groups,
        costs=list(_costs(plan.cells, records)),
        versions=versions | ({"python": place.python} if place else {}),
        finished=max((s.started for s in stages), default=""),
        declared=plan.declared,
    )


def joined(runs: Sequence[RunResults], name: str) -> RunResults:
    """Return several runs of one night as one: all costs; of each cell the first, if any one that failed."""
    first = runs[0]
    groups: dict[Group, dict[int, CellFacts]] = {}
    for run in runs:
        for group, cells in run.groups.items():
            mine = groups.setdefault(group, {})
            for seed, cell in cells.items():
                if seed not in mine or (mine[seed].scored and not cell.scored):
                    mine[seed] = cell
    side = Side(
        name,
        first.side.commit,
        any(r.side.dirty for r in runs),
        min(r.side.started for r in runs),
        first.side.host,
    )
    return RunResults(
        side=side,
        suite=first.suite,
        metrics=first.metrics,
        groups=groups,
        costs=[c for r in runs for c in r.costs],
        versions={name: v for r in runs for name, v in r.versions.items()},
        finished=max(r.finished for r in runs),
        declared=first.declared,
    )


def least(costs: Iterable[Cost]) -> dict[Label, tuple[tuple[str, ...], dict[str, float]]]:
    """Return the machine and the least of each cost by label: over seeds and over runs of one night.

    What delays a process only ever adds to its time, so the least is the least disturbed.
    A label measured on several machines goes by that of its first measurement.
    """
    found: dict[Label, tuple[tuple[str, ...], dict[str, float]]] = {}
    for cost in costs:
        machine, values = found.setdefault(cost.label, (cost.machine, {}))
        if cost.machine == machine:
            for what, value in cost.values.items():
                values[what] = min(values.get(what, value), value)
    return found


def one_label_per_stage(costs: Iterable[Cost]) -> dict[Label, int]:
    """Return one label for each set of stages that several methods share, and how many methods do."""
    keys: dict[Label, set[str]] = {}
    for cost in costs:
        keys.setdefault(cost.label, set()).add(cost.key)
    first: dict[tuple[str, str, frozenset[str]], Label] = {}
    shared: dict[Label, int] = {}
    for label, of in keys.items():
        one = first.setdefault((label[2], label[3], frozenset(of)), label)
        shared[one] = shared.get(one, 0) + 1
    return shared


def _record(results: Results, key: str) -> CellRecord | str:
    try:
        return read(results.records / f"{key}.json")
    except FileNotFoundError:
        return "missing"
    except Damaged:
        return "damaged"


def _facts(record: CellRecord | str) -> CellFacts:
    if isinstance(record, str):
        why = "its record is damaged" if record == "damaged" else "the run did not get to it"
        return CellFacts(record, why)
    parts = {f"{part}.{m}": v for part, values in record.parts.items() for m, v in values.items()}
    level = float(record.params.get("metrics", {}).get("level", 0.95))
    return CellFacts(
        status=str(record.status),
        error=record.error or "",
        metrics={**record.metrics, **parts},
        errors={m: (high - low) / 2 / _normal(level) for m, (low, high) in record.intervals.items()},
        params=record.params,
        data=record.data_fingerprint,
    )


def _normal(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + level / 2)


def _costs(cells: Sequence[PlannedCell], records: Mapping[str, CellRecord | str]) -> Iterator[Cost]:
    for cell in cells:
        record = records[cell.key]
        if isinstance(record, CellRecord) and not cell.trivial:
            for stage in record.stages:
                yield _cost(cell, stage)


def _cost(cell: PlannedCell, stage: StageRecord) -> Cost:
    torch = stage.place.versions.get("torch", "")
    values = {"time": stage.wall_s, "memory": float(stage.host_peak_bytes)}
    if stage.gpu_peak_bytes is not None:
        values["GPU memory"] = float(stage.gpu_peak_bytes)
    return Cost(
        label=(cell.dataset, cell.method, stage.stage, stage.adapter.partition("@")[0]),
        key=stage.key,
        started=stage.started,
        machine=(stage.place.processor, stage.device, f"{stage.threads} threads", torch and f"torch {torch}"),
        values=values,
    )
