"""The typed table behind all formats: blocks of rows whose entries carry their marks, and the notes below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from statistics import fmean
from typing import Any, Literal

from bench.metrics.metric import Metric
from bench.metrics.names import VERSION, find
from bench.records.results import PlanOnDisk
from bench.records.summary import Scored
from bench.report.tables.leaderboard import JUDGES, Board, Leaderboard, Row, build
from bench.util.text import plural

NOTHING = "\u2013"
"""Shown where a row has no such number."""
NOISE = {
    "own_cluster": "Each image called noise counts as a cluster of its own.",
    "drop": "Images called noise are left out; the share of images scored is given beside the row.",
}


@dataclass(frozen=True)
class Layout:
    """How a table of the suite is laid out; see `bench.suite.schema.Table`."""

    rows: Literal["method", "dataset"] = "method"
    group: Literal["blocks", "columns"] = "blocks"
    decimals: int | dict[str, int] = 3
    marks: Sequence[str] = ("best", "second")
    units: bool = True
    intervals: bool = True

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Layout:
        """Return the layout that a table of a suite declares."""
        return cls(**{f.name: table[f.name] for f in fields(cls) if f.name in table})

    def decimals_of(self, metric: str) -> int:
        """Return the number of decimal places of a metric."""
        return self.decimals if isinstance(self.decimals, int) else self.decimals.get(metric, 3)


@dataclass(frozen=True)
class TableCell:
    """The content of one cell of a table."""

    text: str = ""
    spread: str = ""
    """Half-width of the interval."""
    best: bool = False
    second: bool = False
    trivial: bool = False
    """A number that does not beat the trivial baselines."""
    incomplete: bool = False
    """A mean of only some of the planned seeds."""
    baseline: bool = False
    """The name of a trivial method."""


@dataclass(frozen=True)
class TableColumn:
    """One column; those of one group share a common head."""

    title: str
    left: bool = False
    group: str = ""
    head: bool = False
    """Names the row."""
    measured: bool = False
    """Holds numbers with intervals."""


@dataclass(frozen=True)
class Block:
    """Rows under one heading."""

    heading: str
    columns: list[TableColumn]
    rows: list[list[TableCell]]
    notes: list[str] = field(default_factory=list)
    """Sentences about this block alone."""


@dataclass(frozen=True)
class Sheet:
    """A whole table."""

    title: str
    blocks: list[Block]
    notes: list[str]


def declared(
    plan: PlanOnDisk, table: Mapping[str, Any], record_of: Callable[[str], Scored | None]
) -> tuple[Leaderboard, Layout]:
    """Draw a table that a suite declares, with its layout; `table` is an entry of `plan.tables`."""
    plan = replace(plan, title=table["caption"] or plan.title)
    methods, sort = table.get("methods", ()), table.get("sort")
    board = build(plan, record_of, table["columns"], table["datasets"], methods, sort)
    return board, Layout.of(table)


def arrange(board: Leaderboard, layout: Layout | None = None, extra: Sequence[Block] = ()) -> Sheet:
    """Lay a leaderboard out; `extra` blocks follow it."""
    layout = layout or Layout()
    if layout.group == "columns":
        blocks = [_side_by_side(board, layout)] if board.boards else []
    elif layout.rows == "dataset":
        blocks = [_of_method(board, m, layout) for m in _methods(board)]
    else:
        blocks = [_of_dataset(one, layout) for one in board.boards]
    notes = _notes(board, layout) if board.boards else []
    return Sheet(board.title or board.suite, [*blocks, *extra], notes)


def heading(board: Board) -> str:
    """Return the title of one board: dataset, how much was scored and left out, whether it was generated."""
    classes = f"{board.classes} classes" if board.classes is not None else "no classes known"
    lost = f"; {board.left_out.brief()}" if board.left_out is not None else ""
    size = f" ({board.images:,} images, {classes}{lost})" if board.images is not None else ""
    return f"{board.dataset}{size}{' · synthetic' if board.synthetic else ''}"


def notes(board: Leaderboard, metric: str | None = None) -> str:
    """Return the sentences that say how to read the numbers; `metric` is what the rows are sorted by."""
    return " ".join(_notes(board, Layout(), metric))


def _notes(board: Leaderboard, layout: Layout, metric: str | None = None) -> list[str]:
    first = board.metric(metric or board.ranked_by or board.boards[0].metrics[0]).title
    rows = [row for one in board.boards for row in one.rows]
    lost = (f"{one.dataset}: {one.left_out.sentence()}." for one in board.boards if one.left_out is not None)
    found = [
        *lost,
        f"{f'Ranked by {first}, in the order of the suite.' if board.in_order else f'Sorted by {first}.'} "
        f"Numbers are means over {plural(board.seeds, 'seed')} ± the longer arm of "
        f"their {round(100 * board.level, 6):g} % interval for the expected score over seeds and images: "
        "q √(s²/n + b²), with s over the n seeds, b the bootstrap over images within a seed (its half-width "
        "over z), and q from z of Gauss to t of Student (n - 1 degrees of freedom) as the seeds' "
        "share grows.",
    ]
    if board.seeds == 1:
        found.append("One seed says nothing about others: the intervals hold for this seed.")
    if "best" in layout.marks:
        found.append(
            "Bold: best. " + ("Underlined or in italics: second." if "second" in layout.marks else "")
        )
    found.append(
        "Rank: 1 + the number of methods whose whole interval is better, so equal ranks are ties. "
        "° not better than the best trivial baseline in this metric. “Not better than trivial”: the interval "
        f"of {find(JUDGES[1]).title} (for classifiers {find(JUDGES[0]).title}) reaches down to a trivial "
        "baseline."
    )
    if any(n.seeds < row.planned for row in rows for n in row.numbers.values()):
        found.append("In parentheses: a mean of only some of the planned seeds, without a rank.")
    if any(one.synthetic for one in board.boards):
        found.append("Synthetic: the images were generated.")
    if board.outdated:
        what = "1 record" if board.outdated == 1 else f"{board.outdated} records"
        found.append(
            f"{what} scored with another version of the metrics than {VERSION} left out: without their "
            "labels in the store, only `bench run` can score them again."
        )
    return [one.strip() for one in [*found, NOISE[board.noise]]]


def _of_dataset(board: Board, layout: Layout) -> Block:
    columns = [TableColumn("rank"), TableColumn("method", left=True, head=True), *_measured(board, layout)]
    columns += [TableColumn("clusters"), TableColumn("seconds"), TableColumn("remarks", left=True)]
    rows = [
        [_rank(row), _name(row), *_numbers(row, board.metrics, layout), *_facts(row), _remarks(row)]
        for row in board.rows
    ]
    return Block(heading(board), columns, rows)


def _of_method(board: Leaderboard, method: str, layout: Layout) -> Block:
    metrics = board.boards[0].metrics
    columns = [
        TableColumn("rank"),
        TableColumn("dataset", left=True, head=True),
        *_measured(board.boards[0], layout),
    ]
    columns += [TableColumn("clusters"), TableColumn("seconds"), TableColumn("remarks", left=True)]
    rows = [
        [_rank(row), TableCell(heading(one)), *_numbers(row, metrics, layout), *_facts(row), _remarks(row)]
        for one in board.boards
        for row in one.rows
        if row.method == method
    ]
    return Block(method, columns, rows)


def _side_by_side(board: Leaderboard, layout: Layout) -> Block:
    """Return one block with datasets or methods in rows and the other in groups of columns."""
    metrics = board.boards[0].metrics
    by_dataset = {one.dataset: {row.method: row for row in one.rows} for one in board.boards}
    titles = {one.dataset: heading(one) for one in board.boards}
    datasets, methods = list(by_dataset), _methods(board)
    as_rows = layout.rows == "method"
    groups = datasets if as_rows else methods
    columns = [TableColumn(layout.rows, left=True, head=True)]
    for group in groups:
        columns += _measured(board.boards[0], layout, titles.get(group, group) if as_rows else group)
    rows = []
    for name in methods if as_rows else datasets:
        found = [by_dataset[g].get(name) if as_rows else by_dataset[name].get(g) for g in groups]
        baseline = as_rows and any(row.trivial for row in found if row)
        entries = [TableCell(name if as_rows else titles[name], baseline=baseline)]
        remarks: dict[str, list[str]] = {}
        for group, row in zip(groups, found, strict=True):
            entries += _numbers(row, metrics, layout) if row else [TableCell("not planned")] * len(metrics)
            for remark in row.remarks() if row else ():
                remarks.setdefault(remark, []).append(group)
        listed = [r if len(g) == len(groups) else f"{', '.join(g)}: {r}" for r, g in remarks.items()]
        rows.append([*entries, TableCell("; ".join(listed))])
    return Block("", [*columns, TableColumn("remarks", left=True)], rows)


def _methods(board: Leaderboard) -> list[str]:
    """List the methods in the suite's order, or by mean position; those that lack a dataset come last."""
    positions: dict[str, list[int]] = {}
    for one in board.boards:
        for position, row in enumerate(one.rows):
            positions.setdefault(row.method, []).append(position)
    if board.in_order:
        return list(positions)
    return sorted(positions, key=lambda m: (len(positions[m]) < len(board.boards), fmean(positions[m])))


def _measured(board: Board, layout: Layout, group: str = "") -> list[TableColumn]:
    metrics = map(board.metric, board.metrics)
    return [TableColumn(_title(m, units=layout.units), group=group, measured=True) for m in metrics]


def _title(metric: Metric, *, units: bool) -> str:
    return f"{metric.title} [{metric.unit}]" if metric.unit and units else metric.title


def _rank(row: Row) -> TableCell:
    return TableCell(str(row.rank) if row.rank else "")


def _name(row: Row) -> TableCell:
    return TableCell(row.method, baseline=row.trivial)


def _facts(row: Row) -> list[TableCell]:
    clusters = f"{row.clusters:.4g}" if row.clusters is not None else ""
    return [TableCell(clusters), TableCell(f"{row.seconds:.1f}" if row.seconds is not None else "")]


def _remarks(row: Row) -> TableCell:
    return TableCell("; ".join(row.remarks()))


def _numbers(row: Row, metrics: list[str], layout: Layout) -> list[TableCell]:
    found = []
    for m in metrics:
        n = row.numbers.get(m)
        if n is None:  # failed seeds, or a metric that such methods lack
            found.append(TableCell(NOTHING if row.scored else ", ".join(row.missing())))
            continue
        decimals = layout.decimals_of(m)
        found.append(
            TableCell(
                f"{n.mean:z.{decimals}f}",
                f"{n.half_width:.{decimals}f}" if layout.intervals and not n.unsure else "",
                best=n.best and "best" in layout.marks,
                second=n.second and "second" in layout.marks,
                trivial=n.trivial,
                incomplete=n.seeds < row.planned,
            )
        )
    return found
