"""Ranks of methods over datasets: Friedman's test, Nemenyi's critical difference (Demšar 2006, JMLR 7:1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.metrics.metric import Metric
from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.statistics import mid_ranks


@dataclass(frozen=True)
class Ranking:
    """Methods over datasets, the best first."""

    metric: Metric
    level: float
    datasets: list[str]
    methods: list[str]
    ranks: list[float]
    """Mean rank of each method, 1 = best on every dataset."""
    p: float
    """Of Friedman's test, in the form of Iman and Davenport: that all methods are equal."""
    difference: float
    """Nemenyi's critical difference of mean ranks."""
    left_out: list[str]
    """Methods without a complete mean on every dataset."""

    def groups(self) -> list[tuple[int, int]]:
        """Return the first and last position of each largest group without a difference inside.

        Where Friedman's test shows no difference at all, that is one group of all.
        """
        if self.p > 1 - self.level:
            return [(0, len(self.ranks) - 1)]
        found: list[tuple[int, int]] = []
        for i, low in enumerate(self.ranks):
            last = max(j for j, high in enumerate(self.ranks) if high - low <= self.difference)
            if last > i and (not found or last > found[-1][1]):
                found.append((i, last))
        return found


def rank_over_datasets(board: Leaderboard, metric: str) -> Ranking | str:
    """Rank all methods but the trivial ones over the datasets; or say why that is not possible."""
    of = board.metric(metric)
    sign = -1 if of.higher_is_better else 1
    means: dict[str, dict[str, float]] = {}
    for one in board.boards:
        for row in one.rows:
            own = means.setdefault(row.method, {}) if not row.trivial else {}
            if metric in row.numbers and row.numbers[metric].seeds == row.planned:
                own[one.dataset] = row.numbers[metric].mean
    datasets = [one.dataset for one in board.boards]
    methods = [m for m, own in means.items() if len(own) == len(datasets)]
    if len(datasets) < 3:
        return f"ranks over datasets need 3 datasets or more, not {len(datasets)}"
    if len(methods) < 3:
        return f"only {len(methods)} methods have a complete {of.title} on every dataset; 3 are needed"
    table = [mid_ranks([sign * means[m][d] for m in methods]) for d in datasets]
    mean = [fmean(column) for column in zip(*table, strict=True)]
    order = sorted(range(len(methods)), key=mean.__getitem__)
    return Ranking(
        of,
        board.level,
        datasets,
        [methods[i] for i in order],
        [mean[i] for i in order],
        friedman(table),
        critical_difference(len(methods), len(datasets), board.level),
        [m for m in means if m not in methods],
    )


def friedman(table: Sequence[Sequence[float]]) -> float:
    """Return p of Friedman's test by F of Iman and Davenport 1980, from ranks of shape (datasets, methods).

    Ties shrink the variance of ranks; the statistic is corrected for them.
    """
    from scipy.special import fdtrc

    n, k = len(table), len(table[0])
    middle = (k + 1) / 2
    within = sum((r - middle) ** 2 for row in table for r in row)
    if not within:
        return 1.0
    between = n * sum((fmean(column) - middle) ** 2 for column in zip(*table, strict=True))
    chi_square = n * (k - 1) * between / within
    rest = n * (k - 1) - chi_square
    if rest <= 1e-9:
        return 0.0
    return float(fdtrc(k - 1, (k - 1) * (n - 1), (n - 1) * chi_square / rest))


def critical_difference(methods: int, datasets: int, level: float) -> float:
    """Return the difference of mean ranks that Nemenyi's test calls one: q sqrt(k (k + 1) / (6 N))."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(level, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * datasets))
