"""A leaderboard in several formats. What comes from data or suite files is escaped in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from bench.report.tables import escape
from bench.report.tables import html as hypertext
from bench.report.tables.layout import Block, Layout, TableCell, TableColumn, arrange, heading, notes
from bench.report.tables.leaderboard import Board, Leaderboard, Row
from bench.util.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

__all__ = ["comma_separated", "heading", "html", "latex", "markdown", "notes", "terminal", "to_json"]


@dataclass(frozen=True)
class _Style:
    """How one format writes the marks."""

    escape: Callable[[str], str]
    best: Callable[[str], str]
    second: Callable[[str], str]
    baseline: Callable[[str], str]
    plus_minus: str
    mark: str


_MARKDOWN = _Style(escape.markdown, lambda s: f"**{s}**", lambda s: f"*{s}*", lambda s: f"*{s}*", " ± ", "°")
_LATEX = _Style(
    escape.latex,
    lambda s: rf"\textbf{{{s}}}",
    lambda s: rf"\underline{{{s}}}",
    lambda s: rf"\emph{{{s}}}",
    r" $\pm$ ",
    r"$^{\circ}$",
)


def markdown(board: Leaderboard, layout: Layout | None = None, extra: Sequence[Block] = ()) -> str:
    """Render as GitHub Markdown."""
    from tabulate import tabulate

    sheet = arrange(board, layout, extra)
    parts = [f"# {escape.markdown(sheet.title)}", ""]
    for block in sheet.blocks:
        if block.heading:
            parts += [f"## {escape.markdown(block.heading)}", ""]
        rows = [[_written(e, _MARKDOWN) for e in row] for row in block.rows]
        header = [_MARKDOWN.escape(_whole_title(c)) for c in block.columns]
        align = ["left" if c.left else "right" for c in block.columns]
        parts += [tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True), ""]
        parts += [line for note in block.notes for line in (escape.markdown(note), "")]
    if sheet.notes:
        parts += [escape.markdown(" ".join(sheet.notes)), ""]
    return "\n".join(parts)


def latex(board: Leaderboard, layout: Layout | None = None, extra: Sequence[Block] = ()) -> str:
    """Render as LaTeX tables (package booktabs), one per block."""
    sheet = arrange(board, layout, extra)
    parts = [f"% {one_line(sheet.title)}; needs \\usepackage{{booktabs}}"]
    for block in sheet.blocks:
        caption = f"{sheet.title}: {block.heading}" if block.heading else sheet.title
        below = " ".join([*block.notes, *(() if block in extra else sheet.notes)])
        parts += [
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{escape.latex(caption)}}}",
            rf"\begin{{tabular}}{{{''.join('l' if c.left else 'r' for c in block.columns)}}}",
            r"\toprule",
            *_latex_groups(block.columns),
            " & ".join(escape.latex(c.title) for c in block.columns) + r" \\",
            r"\midrule",
            *(_latex_row(row) for row in block.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\par\smallskip",
            rf"\parbox{{\linewidth}}{{\footnotesize {escape.latex(below)}}}",
            r"\end{table}",
            "",
        ]
    return "\n".join(parts)


def html(board: Leaderboard, layout: Layout | None = None, extra: Sequence[Block] = ()) -> str:
    """Render as one HTML page that needs nothing else."""
    return hypertext.page(arrange(board, layout, extra))


def comma_separated(board: Leaderboard) -> str:
    """Render as CSV with full precision, one line per dataset and method, marks and intervals in columns."""
    metrics = board.boards[0].metrics if board.boards else []
    header = ["dataset", "synthetic", "rank", "method", "trivial", "uses_labels"]
    header += ["seeds_planned", "seeds_scored", "statuses", "degenerate", "unproven"]
    for m in metrics:
        header += [m, f"{m}_low", f"{m}_high", f"{m}_seeds", f"{m}_mark"]
    header += ["clusters", "coverage", "seconds", "remarks", "images_left_out", "images_found", "left_out"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for one in board.boards:
        for row in one.rows:
            writer.writerow([escape.csv_cell(v) for v in _csv_line(one, row, metrics)])
    return out.getvalue()


def to_json(board: Leaderboard) -> dict[str, Any]:
    """Return everything the tables say, for machines."""
    about = {k: v for k, v in vars(board).items() if k not in ("boards", "declared")}
    boards = []
    for one in board.boards:
        rows = []
        for row in one.rows:
            fields = {**vars(row), "complete": row.complete, "remarks": row.remarks()}
            fields["statuses"] = {s: n for s, n in sorted(row.statuses.items()) if n}
            fields["numbers"] = {m: vars(n) for m, n in row.numbers.items()}
            rows.append(fields)
        lost = one.left_out.as_json() if one.left_out is not None else None
        fields = {k: v for k, v in vars(one).items() if k != "declared"}
        boards.append({**fields, "rows": rows, "left_out": lost})
    if board.declared:
        about["declared"] = {name: m.described() for name, m in board.declared.items()}
    return {**about, "notes": notes(board) if board.boards else "", "boards": boards}


def terminal(
    board: Leaderboard, width: int, layout: Layout | None = None, extra: Sequence[Block] = ()
) -> list[RenderableType]:
    """Render for a terminal; on a narrow one the intervals stay in the files."""
    from rich.text import Text

    sheet = arrange(board, layout, extra)
    shown: list[RenderableType] = []
    for block in sheet.blocks:
        shown.append(_terminal_table(block, width))
        shown += [Text(note, style="dim") for note in block.notes]
    if sheet.notes:
        shown.append(Text(" ".join(sheet.notes), style="dim"))
    return shown


def _written(entry: TableCell, style: _Style) -> str:
    text = style.escape(entry.text)
    if entry.spread:
        text += f"{style.plus_minus}{entry.spread}"
    if entry.incomplete:
        text = f"({text})"  # a mean over some of the seeds must not look like a whole one
    if entry.best:
        text = style.best(text)
    if entry.second:
        text = style.second(text)
    if entry.baseline:
        text = style.baseline(text)
    return text + (style.mark if entry.trivial else "")


def _whole_title(column: TableColumn) -> str:
    return f"{column.group}: {column.title}" if column.group else column.title


def _latex_row(row: list[TableCell]) -> str:
    text = " & ".join(_written(e, _LATEX) for e in row)
    return (f"{{}}{text}" if text.startswith(("[", "*")) else text) + r" \\"  # after \\ they would be options


def _latex_groups(columns: list[TableColumn]) -> list[str]:
    if not any(c.group for c in columns):
        return []
    heads, rules, at = [], [], 1
    for group, members in groupby(columns, key=lambda c: c.group):
        span = len(list(members))
        heads.append(
            rf"\multicolumn{{{span}}}{{c}}{{{escape.latex(group)}}}" if group else " & " * (span - 1)
        )
        if group:
            rules.append(rf"\cmidrule(lr){{{at}-{at + span - 1}}}")
        at += span
    return [" & ".join(heads) + r" \\", " ".join(rules)]


def _csv_line(board: Board, row: Row, metrics: list[str]) -> list[object]:
    statuses = ";".join(f"{n} {s}" for s, n in sorted(row.statuses.items()) if n)
    line: list[object] = [board.dataset, board.synthetic, row.rank or "", row.method, row.trivial]
    line += [row.uses_labels, row.planned, row.scored, statuses, row.statuses["degenerate"], row.unproven]
    for m in metrics:
        n = row.numbers.get(m)
        if n is None:
            line += ["", "", "", 0, ""]
            continue
        marks = {
            "best": n.best,
            "second": n.second,
            "trivial": n.trivial,
            "incomplete": n.seeds < row.planned,
        }
        line += [n.mean, n.low, n.high, n.seeds, ";".join(name for name, there in marks.items() if there)]
    facts = ["" if v is None else v for v in (row.clusters, row.coverage, row.seconds)]
    lost = board.left_out
    found = "" if lost is None or lost.images is None else lost.images
    said = [lost.bad if lost else 0, found, lost.sentence() if lost else ""]
    return [*line, *facts, "; ".join(row.remarks()), *said]


def _terminal_table(block: Block, width: int) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    narrow = width < 52 + 17 * sum(c.measured for c in block.columns)
    title = Text(one_line(block.heading), style="bold") if block.heading else None
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for i, c in enumerate(block.columns):
        words = [one_line(w) for w in (c.group, c.title) if w]
        long = c.measured and (len(c.title) > 10 or bool(c.group))
        name = "\n".join(words).replace(" ", "\n") if long else " ".join(words)
        justify: Literal["left", "right"] = "left" if c.left else "right"
        table.add_column(Text(name), justify=justify, no_wrap=i < len(block.columns) - 1)
    for row in block.rows:
        table.add_row(*(_styled(e, narrow=narrow) for e in row))
    return table


def _styled(entry: TableCell, *, narrow: bool) -> Text:
    from rich.text import Text

    text = one_line(entry.text)
    if entry.spread and not narrow:
        text += f" ±{entry.spread}"
    if entry.incomplete:
        text = f"({text})"
    styles = {"bold green": entry.best, "underline": entry.second, "dim italic": entry.baseline}
    return Text(text + ("°" if entry.trivial else ""), " ".join(s for s, on in styles.items() if on))
