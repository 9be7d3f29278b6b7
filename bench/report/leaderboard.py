"""Records -> one leaderboard per dataset: means, intervals, ranks with ties, and what is wrong with a row.

A number is a mean over seeds. Its interval joins two sources of doubt in
quadrature: Student t over the seeds' values, and the bootstrap over images
inside a seed (its mean half-width: all seeds score the same images).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev

from bench.metrics.names import Metric, find
from bench.record import CellRecord
from bench.results import PlannedCell, PlanOnDisk

JUDGE = "ami"
"""The metric by which a method must beat the trivial baselines: adjusted for chance."""


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
    """Not better than the trivial baselines, as far as the interval tells."""

    @property
    def complete(self) -> bool:
        """Whether every planned seed has scores."""
        return self.scored == self.planned

    def remarks(self) -> list[str]:
        """Say what a reader must know before believing the row."""
        found = []
        if not self.complete:
            missing = [f"{n} {s}" for s, n in sorted(self.statuses.items()) if s not in ("ok", "degenerate")]
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


@dataclass(frozen=True)
class Leaderboard:
    """All boards of a suite."""

    suite: str
    title: str
    noise: str
    level: float
    seeds: int
    boards: list[Board] = field(default_factory=list)


def build(
    plan: PlanOnDisk,
    record_of: Callable[[str], CellRecord | None],
    metrics: Sequence[str] = (),
    datasets: Sequence[str] = (),
) -> Leaderboard:
    """Draw the leaderboard of a plan from its records.

    Parameters
    ----------
    plan : the planned cells, so that missing ones show.
    record_of : gives the record of a cell by its key, or None.
    metrics, datasets : columns and boards; unless given, those of the suite.
    """
    columns = list(metrics or plan.metrics)
    board_names = [d for d in dict.fromkeys(c.dataset for c in plan.cells) if not datasets or d in datasets]
    boards = []
    for name in board_names:
        cells = [c for c in plan.cells if c.dataset == name]
        boards.append(_board(name, cells, record_of, columns, plan.level))
    seeds = len({c.seed for c in plan.cells})
    return Leaderboard(plan.suite, plan.title, plan.noise, plan.level, seeds, boards)


def _board(
    name: str,
    cells: list[PlannedCell],
    record_of: Callable[[str], CellRecord | None],
    columns: list[str],
    level: float,
) -> Board:
    records = {c.key: record_of(c.key) for c in cells}
    methods = dict.fromkeys(c.method for c in cells)
    wanted = list(dict.fromkeys([*columns, JUDGE]))
    rows = [_row([c for c in cells if c.method == m], records, wanted, level) for m in methods]
    rows = _judged(rows, columns)
    scored = [r for r in records.values() if r is not None and not r.status.failed]
    return Board(
        dataset=name,
        synthetic=any(c.synthetic for c in cells),
        metrics=columns,
        rows=rows,
        images=max((r.n_scored for r in scored), default=None),  # fewer where noise is dropped
        classes=max((r.classes for r in scored if r.classes is not None), default=None),
    )


def _row(
    cells: list[PlannedCell], records: dict[str, CellRecord | None], metrics: list[str], level: float
) -> Row:
    found = [records[c.key] for c in cells]
    scored = [r for r in found if r is not None and not r.status.failed]
    statuses = Counter(str(r.status) if r is not None else "missing" for r in found)
    there = [m for m in metrics if scored and all(_value(r, m) is not None for r in scored)]
    numbers = {m: _number(find(m), m, scored, level) for m in there}
    return Row(
        method=cells[0].method,
        trivial=cells[0].trivial,
        uses_labels=any(r.uses_labels for r in scored),
        planned=len(cells),
        scored=len(scored),
        statuses=statuses,
        numbers=numbers,
        clusters=_mean(r.clusters for r in scored),
        coverage=_mean(r.coverage for r in scored),
        seconds=_mean(r.wall_s for r in scored),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return fmean(known) if known else None


def _number(metric: Metric, name: str, records: list[CellRecord], level: float) -> Number:
    values = [v for v in (_value(r, name) for r in records) if v is not None]
    mean = fmean(values)
    over_seeds = 0.0
    if len(values) > 1 and max(values) > min(values):
        over_seeds = _student(level, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    pairs = [(r.metrics[name], *r.intervals[name]) for r in records if name in r.intervals]
    below = fmean(v - low for v, low, _ in pairs) if pairs else 0.0
    above = fmean(high - v for v, _, high in pairs) if pairs else 0.0
    low = max(metric.low, mean - math.hypot(over_seeds, below))
    return Number(mean, min(low, mean), max(mean, min(metric.high, mean + math.hypot(over_seeds, above))))


def _value(record: CellRecord, column: str) -> float | None:
    part, _, name = column.rpartition(".")
    return record.parts.get(part, {}).get(name) if part else record.metrics.get(name)


def _judged(rows: list[Row], columns: list[str]) -> list[Row]:
    """Mark what is best and what is not better than trivial, rank, and sort."""
    trivial = [r for r in rows if r.trivial and r.numbers]
    first = columns[0]
    ranked = [r for r in rows if not r.trivial and r.complete and first in r.numbers]
    judged = []
    for row in rows:
        numbers = {
            m: Number(
                n.mean,
                n.low,
                n.high,
                best=row in ranked
                and not any(m in o.numbers and _better(m, o.numbers[m].mean, n.mean) for o in ranked),
                trivial=not row.trivial
                and any(m in t.numbers and not _better(m, n.mean, t.numbers[m].mean) for t in trivial),
            )
            for m, n in row.numbers.items()
        }
        judge = row.numbers.get(JUDGE)
        unproven = (
            judge is not None
            and not row.trivial
            and any(
                JUDGE in t.numbers and not _better(JUDGE, _worse_end(JUDGE, judge), t.numbers[JUDGE].mean)
                for t in trivial
            )
        )
        rank = None
        if row in ranked:
            own = _better_end(first, row.numbers[first])
            ahead = [o for o in ranked if _better(first, _worse_end(first, o.numbers[first]), own)]
            rank = 1 + len(ahead)
        judged.append(replace(row, numbers=numbers, rank=rank, unproven=unproven))
    return sorted(judged, key=lambda r: _order(r, first))


def _order(row: Row, metric: str) -> tuple[bool, float]:
    if metric not in row.numbers:
        return True, 0.0
    mean = row.numbers[metric].mean
    return False, -mean if find(metric).higher_is_better else mean


def _better(metric: str, a: float, b: float) -> bool:
    return a > b if find(metric).higher_is_better else a < b


def _better_end(metric: str, number: Number) -> float:
    return number.high if find(metric).higher_is_better else number.low


def _worse_end(metric: str, number: Number) -> float:
    return number.low if find(metric).higher_is_better else number.high


def _student(level: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))
