"""Which methods differ: paired tests of all pairs with Holm's correction; no verdict on too few data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from statistics import fmean
from typing import Any

from bench.metrics.metric import Metric
from bench.report.tables.escape import csv_cell
from bench.report.tables.layout import NOTHING, Block, TableCell, TableColumn
from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.statistics import holm, paired_t, wilcoxon

_MOST_SHOWN = 30
_T = (
    "Paired t test over the seeds that both methods have (3 at least; their differences must vary, as if "
    "normally), on these images and no others: how the order would change with other images is for the "
    "intervals above to say."
)
_WILCOXON = (
    "Wilcoxon's signed-rank test over the datasets on which both methods are complete "
    "(6 at least that differ)."
)


@dataclass(frozen=True)
class Pair:
    """Two methods, the one with the better mean first."""

    better: str
    worse: str
    difference: float
    """Mean of better - worse; negative where less is better."""
    n: int
    """Seeds, or datasets, that both have."""
    p: float | None
    """Two-sided; None if there are too few values to test, or none that differ."""
    adjusted: float | None
    """After Holm's correction over all pairs tested in this comparison."""


@dataclass(frozen=True)
class Comparison:
    """All pairs of methods on one dataset, or over all datasets."""

    dataset: str | None
    metric: Metric
    test: str
    level: float
    pairs: list[Pair]
    """By p; the untested last."""

    @property
    def tested(self) -> int:
        """Number of pairs that were tested."""
        return sum(pair.p is not None for pair in self.pairs)

    def verdict(self, pair: Pair) -> str:
        """Say what the test allows to claim."""
        if pair.adjusted is None:
            return "cannot be tested"
        return "better" if pair.adjusted <= 1 - self.level else "no difference shown"


def compare(board: Leaderboard, metric: str | None = None) -> list[Comparison]:
    """Compare all methods but the trivial ones in one metric, unless given that of the ranks.

    One comparison per dataset, over seeds; and one over the datasets if there are at least 6.
    """
    metric = metric or board.ranked_by
    of = board.metric(metric)
    found = []
    means: dict[str, dict[Any, float]] = {}
    for one in board.boards:
        values: dict[str, dict[Any, float]] = {}
        for row in one.rows:
            if row.trivial or metric not in row.numbers:
                continue
            values[row.method] = dict(row.values[metric])
            if row.numbers[metric].seeds == row.planned:
                means.setdefault(row.method, {})[one.dataset] = row.numbers[metric].mean
        found.append(_comparison(one.dataset, of, _T, board.level, values, paired_t))
    if len(board.boards) >= 6:
        found.append(_comparison(None, of, _WILCOXON, board.level, means, wilcoxon))
    return found


def block(comparison: Comparison) -> Block:
    """Lay a comparison out as a block of a table; the least certain of many pairs are only counted."""
    c, metric = comparison, comparison.metric
    columns = [TableColumn("better", left=True, head=True), TableColumn("than", left=True)]
    columns += [TableColumn(t) for t in (f"{metric.title} by", "n", "p", "p (Holm)")]
    columns += [TableColumn("verdict", left=True)]
    rows = [
        [
            *(TableCell(t) for t in (pair.better, pair.worse, f"{pair.difference:z.3f}", str(pair.n))),
            *(TableCell(NOTHING if p is None else _p(p)) for p in (pair.p, pair.adjusted)),
            TableCell(c.verdict(pair)),
        ]
        for pair in c.pairs[:_MOST_SHOWN]
    ]
    notes = [
        f"{c.test} Holm's correction over all {c.tested} pairs that could be tested; “better”: adjusted p at "
        f"most {1 - c.level:.3g}."
    ]
    if len(c.pairs) > _MOST_SHOWN:
        rest = c.pairs[_MOST_SHOWN:]
        shown = sum(c.verdict(pair) == "better" for pair in rest)
        notes.append(f"{len(rest)} more pairs, of which {shown} differ, are in the JSON output.")
    where = c.dataset if c.dataset is not None else "all datasets"
    return Block(f"Pairs of methods on {where}, {metric.title}", columns, rows, notes)


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison for machines."""
    c = comparison
    pairs = [{**vars(pair), "verdict": c.verdict(pair)} for pair in c.pairs]
    return {**vars(c), "metric": c.metric.name, "tested": c.tested, "pairs": pairs}


def comma_separated(comparisons: Sequence[Comparison]) -> str:
    """Render comparisons as CSV with full precision, one line per pair."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["dataset", "metric", *(f.name for f in fields(Pair)), "verdict"])
    for c in comparisons:
        for pair in c.pairs:
            line = [c.dataset or "", c.metric.name, *vars(pair).values(), c.verdict(pair)]
            writer.writerow(["" if v is None else csv_cell(v) for v in line])
    return out.getvalue()


def _comparison(
    dataset: str | None,
    metric: Metric,
    test: str,
    level: float,
    values: dict[str, dict[Any, float]],
    p_of: Callable[[Sequence[float]], float | None],
) -> Comparison:
    pairs = []
    sign = 1 if metric.higher_is_better else -1
    for a, b in combinations(values, 2):
        both = [k for k in values[a] if k in values[b]]
        if not both:
            continue
        differences = [values[a][k] - values[b][k] for k in both]
        mean = fmean(differences)
        p = p_of(differences)
        first = sign * mean >= 0
        pairs.append(Pair(a if first else b, b if first else a, mean if first else -mean, len(both), p, None))
    tested = [pair for pair in pairs if pair.p is not None]
    adjusted = holm([pair.p for pair in tested if pair.p is not None])
    done = [Pair(t.better, t.worse, t.difference, t.n, t.p, a) for t, a in zip(tested, adjusted, strict=True)]
    done += [pair for pair in pairs if pair.p is None]
    return Comparison(dataset, metric, test, level, sorted(done, key=_order))


def _order(pair: Pair) -> tuple[bool, float, float]:
    return pair.p is None, pair.p if pair.p is not None else 1.0, -abs(pair.difference)


def _p(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"
