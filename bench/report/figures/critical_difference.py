"""Mean ranks of methods over datasets, and which of them no test tells apart (Demšar 2006)."""

from __future__ import annotations

from bench.errors import DataError
from bench.report.drawing.figure import SuiteFigure
from bench.report.drawing.style import NEUTRAL, RIGHT, Drawing, captioned, new, short
from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.ranks import Ranking, rank_over_datasets

_LINE = 0.24
"""Inches from name to name."""


class CriticalDifference(SuiteFigure):
    """The diagram of Demšar 2006, with Nemenyi's test."""

    def draw(self, board: Leaderboard, metric: str) -> Drawing:
        """Draw the diagram of one metric. Raises `DataError` for too few datasets or methods."""
        ranking = rank_over_datasets(board, metric)
        if isinstance(ranking, str):
            raise DataError(ranking)
        k = len(ranking.methods)
        groups = ranking.groups()
        names = (k + 1) // 2
        depth = 0.5 * len(groups) + 0.6
        figure = new(8.5, _LINE * (names + depth) + 1.9)
        ax = figure.subplots()
        ax.set_axis_off()
        ax.set_xlim(1 - 0.45 * (k - 1), k + 0.45 * (k - 1))
        ax.set_ylim(-(names + depth), 2.4)
        ax.plot([1, k], [0, 0], color="black", linewidth=1)
        for tick in range(1, k + 1):
            ax.plot([tick, tick], [0, 0.25], color="black", linewidth=1)
            ax.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=8)
        _critical(ax, ranking, k)
        for i, (name, rank) in enumerate(zip(ranking.methods, ranking.ranks, strict=True)):
            left = i < names
            y = -(depth + (i if left else k - 1 - i))
            end = 1 - 0.05 * (k - 1) if left else k + 0.05 * (k - 1)
            ax.plot([rank, rank, end], [0, y, y], color=NEUTRAL, linewidth=0.8)
            label = f"{short(name, 34)}  {rank:.2f}" if left else f"{rank:.2f}  {short(name, 34)}"
            step = -0.02 if left else 0.02
            ax.text(end + step * (k - 1), y, label, ha="right" if left else "left", va="center", fontsize=8)
        for i, (first, last) in enumerate(groups):
            y = -0.5 * (i + 0.8)
            ends = (ranking.ranks[first] - 0.01 * k, ranking.ranks[last] + 0.01 * k)
            ax.plot(ends, [y, y], color=RIGHT, linewidth=3, solid_capstyle="butt")
        captioned(figure, f"Mean ranks over {len(ranking.datasets)} datasets", _caption(board, ranking))
        return Drawing(figure)


def _critical(ax: object, ranking: Ranking, k: int) -> None:
    from matplotlib.axes import Axes

    assert isinstance(ax, Axes)
    end = min(1 + ranking.difference, k + 0.4 * (k - 1))
    ax.plot([1, end], [1.6, 1.6], color=RIGHT, linewidth=1.5)
    for x in (1.0, end):
        ax.plot([x, x], [1.45, 1.75], color=RIGHT, linewidth=1.5)
    label = f"critical difference {ranking.difference:.2f}"
    ax.text(1, 1.85, label, ha="left", va="bottom", fontsize=8, color=RIGHT)


def _caption(board: Leaderboard, r: Ranking) -> str:
    p = "below 0.0001" if r.p < 0.0001 else f"{r.p:.4f}"
    made = [one.dataset for one in board.boards if one.synthetic]
    sentences = [
        f"{board.title or board.suite}. Rank 1: best {r.metric.title} on every dataset.",
        f"Friedman's test (Iman and Davenport): p {p}.",
        f"Methods under one bar differ by less than the critical difference of Nemenyi's test at "
        f"{round(100 * r.level, 6):g} %."
        if r.p <= 1 - r.level
        else "It shows no difference between the methods, so one bar joins all.",
    ]
    if len(r.datasets) < 10:
        sentences.append(f"{len(r.datasets)} datasets are few for this test.")
    if r.left_out:
        sentences.append(f"Left out, because not all datasets are complete: {', '.join(r.left_out)}.")
    if made:
        sentences.append(
            "All data is generated." if len(made) == len(r.datasets) else f"Generated: {', '.join(made)}."
        )
    return " ".join(sentences)
