"""Leaderboards to view in a notebook, and to save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from bench.api.opened import Where, open_results, store_of
from bench.errors import UsageError
from bench.metrics.names import SHIPPED, find
from bench.records.results import PlanOnDisk
from bench.report.tables import tableformat
from bench.report.tables.layout import Layout, declared
from bench.report.tables.leaderboard import SUITE_ORDER, Leaderboard, build
from bench.report.tables.tableformat import Screen, TableContent
from bench.stages.rescore import up_to_date
from bench.util.durable import write_whole
from bench.util.text import suggest

_WIDTH = 120
"""Line width of `print(leaderboard)`, in characters."""
_STYLE = """\
.cutjoin .left { text-align: left; }
.cutjoin .second { text-decoration: underline; }
.cutjoin .spread, .cutjoin .baseline, .cutjoin .notes { opacity: .7; }
"""
"""For notebooks, whose own style aligns numbers; does not affect other cells."""


@dataclass(frozen=True, repr=False)
class LeaderboardView:
    """The tables of a suite. A notebook shows them; `print` shows them as text.

    Every row shows what its method was given besides the images, and numbers that do not beat the trivial
    baselines are marked, as in `bench table`.
    """

    board: Leaderboard
    """Every number, by dataset and method."""
    layout: Layout | None = None
    """As declared by the suite, for one of its tables."""

    def to(self, format: str) -> str:
        """Return the tables as text in any table format: a name of `bench list table_format`, or a file.

        Raises `AdapterError` for an unknown one.
        """
        screen = Screen(_WIDTH, is_terminal=False)
        return tableformat.load(format, Path.cwd()).render(
            TableContent(self.board, self.layout, screen=screen)
        )

    def to_latex(self) -> str:
        """Return LaTeX; it needs the package booktabs."""
        return self.to("latex")

    def to_markdown(self) -> str:
        """Return Markdown."""
        return self.to("md")

    def to_frame(self) -> pd.DataFrame:
        """Return one row per dataset and method: means over seeds, with `_low` and `_high` of intervals."""
        rows = []
        for board in self.board.boards:
            for row in board.rows:
                numbers = {
                    f"{name}{suffix}": value
                    for name, number in row.numbers.items()
                    for suffix, value in (("", number.mean), ("_low", number.low), ("_high", number.high))
                }
                head = {
                    "dataset": board.dataset,
                    "method": row.method,
                    "rank": row.rank,
                    "seeds": row.scored,
                }
                rows.append({**head, **numbers, "remarks": "; ".join(row.remarks())})
        return pd.DataFrame(rows)

    def save(self, path: str | Path) -> Path:
        """Write the tables to a file, in the table format of its suffix; return its path."""
        path = Path(path)
        known = {one.suffix: one.use for one in tableformat.for_files()}
        ending = path.suffix.removeprefix(".")
        if ending not in known:
            raise UsageError(f"{path}: no table format for .{ending}; {suggest(ending, sorted(known))}")
        write_whole(path, self.to(known[ending]).encode())
        return path

    def __str__(self) -> str:
        return self.to("terminal")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from bench.report.tables.html import fragment
        from bench.report.tables.layout import arrange

        tables = fragment(arrange(self.board, self.layout))
        return f'<div class="cutjoin"><style>\n{_STYLE}</style>{tables}</div>'


def leaderboard(
    where: Where,
    profile: str | None = None,
    *,
    table: str | None = None,
    metrics: Sequence[str] = (),
    datasets: Sequence[str] = (),
    methods: Sequence[str] = (),
    sort: str | None = None,
    results: str | Path | None = None,
    store: str | Path | None = None,
) -> LeaderboardView:
    """Return the leaderboard of a suite that has run.

    Parameters
    ----------
    where, profile : what `run` returned; a suite; a folder `results/<suite>`; or the name of a suite, with
        the profile that it ran with.
    table : id of a table that the suite declares; its columns, rows and layout.
    metrics, datasets, methods : names of columns, boards and rows instead of the suite's; methods may be
        patterns, e.g. "dino*". Trivial baselines are always shown.
    sort : metric to sort and rank by, instead of the first; or "suite" for the order of the suite.
    results : folder with one folder per suite. Default: `$BENCH_RESULTS`, or `results`.
    store : for rescoring records of older metrics. Default: as for `images`.

    Raises
    ------
    UsageError : it has not run there, or has no such table, metric, dataset or method; with the nearest name.

    Examples
    --------
    >>> board = cutjoin.leaderboard(folder, metrics=["acc", "ami"])
    >>> board.to_latex().count("toprule") >= 1
    True
    """
    found = open_results(where, profile, results)
    plan = found.read_plan()
    _refuse_unknown(plan, [*metrics, *([sort] if sort and sort != SUITE_ORDER else [])], datasets, methods)
    record_of = up_to_date(found, store_of(where, store))
    if table is None:
        return LeaderboardView(build(plan, record_of, metrics, datasets, methods, sort))
    known = {str(t["id"]): t for t in plan.tables}
    if table not in known:
        raise UsageError(f"{plan.suite} has no table {table!r}; {suggest(table, sorted(known))}")
    chosen = {"columns": metrics, "datasets": datasets, "methods": methods, "sort": sort}
    board, layout = declared(plan, known[table] | {k: v for k, v in chosen.items() if v}, record_of)
    return LeaderboardView(board, layout)


def _refuse_unknown(
    plan: PlanOnDisk, metrics: Sequence[str], datasets: Sequence[str], methods: Sequence[str]
) -> None:
    """Raise `UsageError` for a name that would give an empty column, board or row."""
    here, known = list(dict.fromkeys(c.dataset for c in plan.cells)), sorted({*SHIPPED, *plan.declared})
    for column in metrics:
        try:
            find(column, plan.declared)
        except KeyError as e:
            if column not in plan.metrics:  # a metric of the suite that was uninstalled still has numbers
                text = suggest(str(e.args[0]), known)
                raise UsageError(f"no metric named {column!r}; {text}") from None
    for name in datasets:
        if name not in here:
            raise UsageError(f"{plan.suite} has no dataset {name!r}; {suggest(name, here)}")
    own = list(dict.fromkeys(c.method for c in plan.cells))
    for pattern in methods:
        if not any(fnmatchcase(method, pattern) for method in own):
            raise UsageError(f"{plan.suite} has no method {pattern!r}; {suggest(pattern, own)}")
