"""Records -> one leaderboard per dataset: means, intervals, ranks with ties, and what is wrong with a row.

A number is a mean over seeds; `bench.report.tables.statistics.mean_interval` explains how its interval
combines the uncertainty over seeds and over images.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from statistics import fmean

from bench.metrics.metric import Metric
from bench.metrics.names import VERSION, find_or_unknown
from bench.records.leftout import LeftOut, from_json
from bench.records.results import PlannedCell, PlanOnDisk
from bench.records.summary import Scored
from bench.report.tables.statistics import mean_interval

JUDGES = ("balanced_accuracy", "ami")
"""The metrics by which a method must beat the trivial baselines, adjusted for chance: the first one that it
has. Only classifiers have the former."""
OUTDATED = "outdated"
"""In place of a status: scored with another version of the metrics, so left out."""
SUITE_ORDER = "suite"
"""In place of a metric to sort by: as the suite lists the methods."""


@dataclass(frozen=True)
class Number:
    """A mean over seeds with its interval."""

    mean: float
    low: float
    high: float
    best: bool = False
    """Best of the complete methods on this dataset, trivial ones aside."""
    trivial: bool = False
    """Not better than the best trivial baseline in this metric."""
    second: bool = False
    """Best of those that are not best."""
    seeds: int = 0
    """Seeds in the mean."""
    unsure: bool = False
    """One seed and no bootstrap: the uncertainty is unknown, so no interval is shown."""

    @property
    def half_width(self) -> float:
        """The longer arm of the interval."""
        return max(self.mean - self.low, self.high - self.mean)


@dataclass(frozen=True)
class Row:
    """One method on one dataset."""

    method: str
    trivial: bool
    uses_labels: bool
    planned: int
    """Seeds planned."""
    scored: int
    """Seeds that have scores."""
    statuses: Counter[str]
    numbers: dict[str, Number]
    clusters: float | None
    coverage: float | None
    seconds: float | None
    rank: int | None = None
    """1 + the number of methods whose whole interval is better; None for trivial or incomplete rows."""
    unproven: bool = False
    """Not shown to be better than the trivial baselines: the interval reaches down to them."""
    values: dict[str, dict[int, float]] = field(default_factory=dict)
    """Metric -> seed -> value, of the seeds that have it."""

    @property
    def complete(self) -> bool:
        """Whether every planned seed has scores."""
        return self.scored == self.planned

    def missing(self) -> dict[str, int]:
        """Count the seeds without scores by their status."""
        return {s: n for s, n in sorted(self.statuses.items()) if s not in ("ok", "degenerate")}

    def remarks(self) -> list[str]:
        """Return caveats about the row."""
        found = []
        if not self.complete:
            missing = [f"{n} {s}" for s, n in self.missing().items()]
            found.append(f"{self.scored} of {self.planned} seeds: {', '.join(missing)}")
        if self.statuses["degenerate"]:
            found.append(f"degenerate in {self.statuses['degenerate']} of {self.planned}")
        if self.unproven:
            found.append("not better than trivial")
        if self.uses_labels:
            found.append("sees labels")
        if self.coverage is not None and self.coverage < 1:
            found.append(f"scored {self.coverage:.1%} of the images")
        return found


@dataclass(frozen=True)
class Board:
    """The leaderboard of one dataset."""

    dataset: str
    synthetic: bool
    metrics: list[str]
    rows: list[Row]
    images: int | None
    classes: int | None
    declared: Mapping[str, Metric] = field(default_factory=dict)
    """Metrics of the suite that do not ship, by name."""
    left_out: LeftOut | None = None
    """Images of the dataset that could not be used."""

    def metric(self, column: str) -> Metric:
        """Return what a column means."""
        return find_or_unknown(column, self.declared)


@dataclass(frozen=True)
class Leaderboard:
    """All boards of a suite."""

    suite: str
    """Name of the suite."""
    title: str
    """Its title, for people."""
    noise: str
    """`own_cluster` or `drop`: how images called noise were scored."""
    level: float
    """Of the intervals, between 0 and 1."""
    seeds: int
    """Number of seeds planned."""
    boards: list[Board] = field(default_factory=list)
    """One per dataset, in the suite's order; each has `rows`, one per method."""
    ranked_by: str = ""
    """The metric of ranks, and of the order unless `in_order`."""
    in_order: bool = False
    """Rows are in the order in which the suite lists the methods."""
    outdated: int = 0
    """Records left out because they were scored with another version of the metrics."""
    declared: Mapping[str, Metric] = field(default_factory=dict)
    """Metrics of the suite that do not ship, by name."""

    def metric(self, column: str) -> Metric:
        """Return what a column means."""
        return find_or_unknown(column, self.declared)


def build(
    plan: PlanOnDisk,
    record_of: Callable[[str], Scored | None],
    metrics: Sequence[str] = (),
    datasets: Sequence[str] = (),
    methods: Sequence[str] = (),
    sort: str | None = None,
) -> Leaderboard:
    """Draw the leaderboard of a plan from its records.

    Parameters
    ----------
    plan : the planned cells, so that missing ones show.
    record_of : gives the record of a cell by its key, or None.
    metrics, datasets, methods : columns, boards and rows; unless given, those of the suite. Methods
        are names or patterns; trivial baselines always stay.
    sort : metric by which rows are sorted and ranked, unless given the first column; or `suite`.
    """
    columns = list(metrics or plan.metrics)
    in_order = sort == SUITE_ORDER
    first = columns[0] if sort is None or in_order else sort
    groups: dict[str, list[PlannedCell]] = {}
    for cell in plan.cells:
        chosen = not methods or cell.trivial or any(fnmatchcase(cell.method, m) for m in methods)
        if chosen and (not datasets or cell.dataset in datasets):
            groups.setdefault(cell.dataset, []).append(cell)
    scheme = _Scheme(columns, first, plan.level, in_order, plan.declared)
    boards = [_board(name, cells, record_of, scheme) for name, cells in groups.items()]
    return Leaderboard(
        plan.suite,
        plan.title,
        plan.noise,
        plan.level,
        len({c.seed for c in plan.cells}),
        boards,
        ranked_by=first,
        in_order=in_order,
        outdated=sum(row.statuses[OUTDATED] for board in boards for row in board.rows),
        declared=scheme.declared,
    )


@dataclass(frozen=True)
class _Scheme:
    columns: list[str]
    first: str
    level: float
    in_order: bool
    declared: Mapping[str, Metric]

    def metrics(self) -> dict[str, Metric]:
        """Return what each column means, also those that only rank and judge."""
        return {m: find_or_unknown(m, self.declared) for m in (*self.columns, self.first, *JUDGES)}


def _board(
    name: str, cells: list[PlannedCell], record_of: Callable[[str], Scored | None], scheme: _Scheme
) -> Board:
    records = {c.key: record_of(c.key) for c in cells}
    methods: dict[str, list[PlannedCell]] = {}
    for cell in cells:
        methods.setdefault(cell.method, []).append(cell)
    metrics = scheme.metrics()
    rows = _judged([_row(own, records, metrics, scheme.level) for own in methods.values()], metrics, scheme)
    scored = [r for r in records.values() if r is not None and not r.status.failed]
    return Board(
        dataset=name,
        synthetic=any(c.synthetic for c in cells),
        metrics=scheme.columns,
        rows=rows,
        images=max((r.n_scored for r in scored), default=None),  # fewer where noise is dropped
        classes=max((r.classes for r in scored if r.classes is not None), default=None),
        declared=scheme.declared,
        left_out=_left_out(records.values()),
    )


def _left_out(records: Iterable[Scored | None]) -> LeftOut | None:
    """Return what the records say was left out of their dataset; where they differ, the most."""
    found = [lost for r in records if r is not None and (lost := from_json(r.left_out)) is not None]
    return max(found, key=lambda lost: (lost.bad, lost.n_classes), default=None)


def _row(
    cells: list[PlannedCell], records: dict[str, Scored | None], metrics: dict[str, Metric], level: float
) -> Row:
    statuses: Counter[str] = Counter()
    scored: dict[int, Scored] = {}
    for cell in cells:
        record = records[cell.key]
        if record is None:
            statuses["missing"] += 1
        elif not record.status.failed and record.metrics_version not in (None, VERSION):
            statuses[OUTDATED] += 1
        else:
            statuses[record.status.value] += 1
            if not record.status.failed:
                scored[cell.seed] = record
    values: dict[str, dict[int, float]] = {}
    numbers: dict[str, Number] = {}
    for name, metric in metrics.items():
        found = {seed: v for seed, r in scored.items() if (v := _value(r, name)) is not None}
        if found:
            values[name] = found
            numbers[name] = _number(metric, name, found, scored, level)
    return Row(
        method=cells[0].method,
        trivial=cells[0].trivial,
        uses_labels=any(r.uses_labels for r in scored.values()),
        planned=len(cells),
        scored=len(scored),
        statuses=statuses,
        numbers=numbers,
        clusters=_mean(r.clusters for r in scored.values()),
        coverage=_mean(r.coverage for r in scored.values()),
        seconds=_mean(r.wall_s for r in scored.values()),
        values=values,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return fmean(known) if known else None


def _number(
    metric: Metric, name: str, values: dict[int, float], scored: dict[int, Scored], level: float
) -> Number:
    below, above = [], []
    for seed, value in values.items():
        interval = scored[seed].intervals.get(name)
        if interval is not None:
            below.append(max(0.0, value - interval[0]))
            above.append(max(0.0, interval[1] - value))
    arms = (fmean(below), fmean(above)) if below else (0.0, 0.0)
    mean, low, high = mean_interval(list(values.values()), *arms, level)
    low, high = min(mean, max(metric.low, low)), max(mean, min(metric.high, high))
    return Number(mean, low, high, seeds=len(values), unsure=len(values) == 1 and not below)


def _value(record: Scored, column: str) -> float | None:
    part, _, name = column.rpartition(".")
    return record.parts.get(part, {}).get(name) if part else record.metrics.get(name)


def _judged(rows: list[Row], metrics: dict[str, Metric], scheme: _Scheme) -> list[Row]:
    """Mark what is best and what is not better than trivial, rank, and sort."""
    first = scheme.first
    sign = {m: 1 if metric.higher_is_better else -1 for m, metric in metrics.items()}

    def good(row: Row, m: str) -> float:
        return sign[m] * row.numbers[m].mean

    complete = {m: [r for r in rows if not r.trivial and _whole(r, m)] for m in metrics}
    places = {m: sorted({good(r, m) for r in found}, reverse=True)[:2] for m, found in complete.items()}
    floor = {
        m: max((good(r, m) for r in rows if r.trivial and m in r.numbers), default=-math.inf) for m in metrics
    }
    worse_ends = [min(sign[first] * e for e in _ends(r, first)) for r in complete[first]]
    judged = []
    for row in rows:
        numbers = {}
        for m, n in row.numbers.items():
            rated = places[m] if not row.trivial and _whole(row, m) else []
            numbers[m] = replace(
                n,
                best=rated[:1] == [good(row, m)],
                second=rated[1:] == [good(row, m)],
                trivial=not row.trivial and good(row, m) <= floor[m],
            )
        unproven, rank = False, None
        judge = next((m for m in JUDGES if m in row.numbers), None)
        if not row.trivial and judge is not None:
            unproven = min(sign[judge] * e for e in _ends(row, judge)) <= floor[judge]
        if not row.trivial and _whole(row, first):
            own = max(sign[first] * e for e in _ends(row, first))
            rank = 1 + sum(end > own for end in worse_ends)
        judged.append(replace(row, numbers=numbers, rank=rank, unproven=unproven))
    if scheme.in_order:
        return judged
    return sorted(judged, key=lambda r: -good(r, first) if first in r.numbers else math.inf)


def _whole(row: Row, metric: str) -> bool:
    """Say whether every planned seed has the metric."""
    return metric in row.numbers and row.numbers[metric].seeds == row.planned


def _ends(row: Row, metric: str) -> tuple[float, float]:
    return row.numbers[metric].low, row.numbers[metric].high
