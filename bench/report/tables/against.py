"""Our numbers beside published ones: the difference, a tolerance fixed beforehand, and what differs.

Names of methods and datasets match if they are equal but for case, spaces and punctuation. Numbers on
generated data cannot be compared: they get no difference, and their verdict says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.errors import DataError
from bench.records.record import CellRecord
from bench.records.reference import Published, PublishedNumber
from bench.records.results import PlanOnDisk
from bench.records.summary import Scored
from bench.report.tables.departures import of_data, of_settings
from bench.report.tables.leaderboard import Board, Number, Row, build


class Verdict(StrEnum):
    """The outcome for one published number."""

    WITHIN = "within tolerance"
    DIFFERS = "differs"
    INCOMPLETE = "ours incomplete"  # a mean over some of the planned seeds is no basis for a verdict
    MISSING = "ours missing"
    SYNTHETIC = "not comparable: generated data"


_WORDS = {
    Verdict.WITHIN: "within tolerance of ours",
    Verdict.DIFFERS: "different",
    Verdict.INCOMPLETE: "incomplete here",
    Verdict.MISSING: "missing here",
    Verdict.SYNTHETIC: "not comparable, because ours are on generated data",
}


@dataclass(frozen=True)
class PublishedPair:
    """One published number and ours."""

    published: PublishedNumber
    ours: Number | None
    verdict: Verdict
    why: str = ""
    """Why there is no verdict."""

    @property
    def difference(self) -> float | None:
        """Ours minus theirs; None where they cannot be compared."""
        if self.ours is None or self.verdict is Verdict.SYNTHETIC:
            return None
        return self.ours.mean - self.published.value

    @property
    def inside(self) -> bool:
        """Whether theirs, before it was rounded, may lie in our interval."""
        if self.ours is None or self.difference is None:
            return False
        half = 0.5 * 10.0**-self.published.decimals
        return self.ours.low - half <= self.published.value <= self.ours.high + half


@dataclass(frozen=True)
class PublishedComparison:
    """One published table beside our records."""

    suite: str
    title: str
    level: float
    """Of our intervals."""
    published: Published
    pairs: list[PublishedPair]
    remarks: list[str]
    """What a reader must know of our rows before believing them."""
    departures: list[str]
    """How this run deviates from the published settings and data."""

    @property
    def counts(self) -> Counter[Verdict]:
        """How many numbers have which verdict."""
        return Counter(p.verdict for p in self.pairs)

    @property
    def conclusion(self) -> str:
        """One sentence on what the comparison shows."""
        if not self.pairs:
            return "None of its numbers is of a metric that is computed here."
        outcomes = ", ".join(f"{self.counts[v]} {words}" for v, words in _WORDS.items() if self.counts[v])
        start = f"Of {len(self.pairs)} published numbers: {outcomes}."
        if not self.counts[Verdict.WITHIN]:
            return start
        if self.departures:
            return f"{start} With settings or data other than the published, agreement is not a reproduction."
        return f"{start} Agreement within a tolerance does not show that the two protocols are the same."


def compare(
    plan: PlanOnDisk,
    scored_of: Callable[[str], Scored | None],
    record_of: Callable[[str], CellRecord | None],
    published: Published,
) -> PublishedComparison:
    """Put the records of a plan beside a published table.

    Parameters
    ----------
    plan : the planned cells, so that missing ones show.
    scored_of, record_of : give the scores of a cell and its whole record by its key, or None.
    published : the table.

    Raises
    ------
    DataError : two of our names match one of theirs.
    """
    numbers = list(published.numbers())
    datasets = _match((n.dataset for n in numbers), [c.dataset for c in plan.cells], "dataset")
    boards: dict[str, Board] = {}
    if datasets:
        metrics = list(dict.fromkeys(n.metric for n in numbers))
        found = build(plan, scored_of, metrics, sorted(set(datasets.values()))).boards
        boards = {b.dataset: b for b in found}
    rows: dict[tuple[str, str], Row] = {}
    for dataset in dict.fromkeys(n.dataset for n in numbers):
        if dataset in datasets:
            own = {r.method: r for r in boards[datasets[dataset]].rows if not r.trivial}
            published_rows = [n.method for n in numbers if n.dataset == dataset]
            rows |= {(dataset, m): own[o] for m, o in _match(published_rows, list(own), "method").items()}
    pairs = [_pair(n, rows.get((n.dataset, n.method)), _board(n, datasets, boards)) for n in numbers]
    params = _params(plan, record_of, {(r.method, datasets[d]) for (d, _), r in rows.items() if r.scored})
    theirs = {d: boards[ours] for d, ours in datasets.items()}
    departures = [*of_data(published.metadata, theirs), *of_settings(published.metadata, params)]
    return PublishedComparison(
        plan.suite, plan.title, plan.level, published, pairs, _remarks(rows, datasets), departures
    )


def _remarks(rows: dict[tuple[str, str], Row], datasets: dict[str, str]) -> list[str]:
    """Return the remarks on our rows, each once, with all methods and datasets that it concerns."""
    about: dict[str, dict[str, list[str]]] = {}
    for (dataset, _), row in rows.items():
        for remark in row.remarks() if row.scored else ():
            methods = about.setdefault(remark, {}).setdefault(datasets[dataset], [])
            if row.method not in methods:
                methods.append(row.method)
    listed = {r: [f"{', '.join(methods)} on {d}" for d, methods in at.items()] for r, at in about.items()}
    return [f"{remark}: {'; '.join(where)}" for remark, where in listed.items()]


def _params(
    plan: PlanOnDisk, record_of: Callable[[str], CellRecord | None], scored: set[tuple[str, str]]
) -> dict[str, dict[str, Any]]:
    """Return the parameters of each method, from a record of a (method, dataset) that has scores."""
    found: dict[str, dict[str, Any]] = {}
    for cell in plan.cells:
        if cell.method not in found and (cell.method, cell.dataset) in scored:
            record = record_of(cell.key)
            if record is not None and not record.status.failed:
                found[cell.method] = record.params
    return found


def _pair(number: PublishedNumber, row: Row | None, board: Board | None) -> PublishedPair:
    if board is None:
        return PublishedPair(number, None, Verdict.MISSING, "dataset not in this run")
    if row is None:
        return PublishedPair(number, None, Verdict.MISSING, "method not in this run")
    ours = row.numbers.get(number.metric)
    if ours is None:
        reason = "not scored" if row.scored else _seeds(row)
        return PublishedPair(number, None, Verdict.MISSING, reason)
    if board.synthetic:
        return PublishedPair(number, ours, Verdict.SYNTHETIC)
    if ours.seeds < row.planned:
        return PublishedPair(
            number,
            ours,
            Verdict.INCOMPLETE,
            _seeds(row) if row.missing() else f"{ours.seeds} of {row.planned} seeds have it",
        )
    near = abs(ours.mean - number.value) <= number.tolerance + 1e-9  # 0.93 - 0.90 is not 0.03 in binary
    return PublishedPair(number, ours, Verdict.WITHIN if near else Verdict.DIFFERS)


def _seeds(row: Row) -> str:
    absent = ", ".join(f"{n} {s}" for s, n in row.missing().items())
    return f"{row.scored} of {row.planned} seeds: {absent}"


def _board(number: PublishedNumber, datasets: dict[str, str], boards: dict[str, Board]) -> Board | None:
    return boards.get(datasets.get(number.dataset, ""))


def _match(theirs: Iterable[str], ours: Sequence[str], what: str) -> dict[str, str]:
    """Return our name for each of theirs that has one."""
    found = {}
    for name in dict.fromkeys(theirs):
        same = [o for o in sorted(set(ours)) if _plain(o) == _plain(name)]
        exact = [o for o in same if o == name]
        if len(same) > 1 and not exact:
            listed = " and ".join(map(repr, same))
            raise DataError(
                f"the published {what} {name!r} may be {listed}; names must differ by letters or digits"
            )
        if same:
            found[name] = (exact or same)[0]
    return found


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
