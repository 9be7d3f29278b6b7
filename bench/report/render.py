"""One leaderboard in several formats. What comes from data or suite files is escaped in each."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.metrics.names import find
from bench.report.leaderboard import JUDGE, Board, Leaderboard, Number, Row

if TYPE_CHECKING:
    from rich.console import RenderableType

NOTES = (
    "Sorted by {first}. Numbers are means over {seeds} seeds ± the longer arm of their {level:g} % interval "
    "(Student t over seeds and bootstrap over images, in quadrature). Rank: 1 + the number of methods whose "
    "whole interval is better, so equal ranks are ties. ° not better than the best trivial baseline in this "
    "metric. “Not better than trivial”: the interval of {judge} reaches down to a trivial baseline. {noise}"
)
_NOISE = {
    "own_cluster": "Each image called noise counts as a cluster of its own.",
    "drop": "Images called noise are left out; the share of images scored stands beside the row.",
}


@dataclass(frozen=True)
class _Style:
    """How one format writes the marks."""

    escape: Callable[[str], str]
    bold: Callable[[str], str]
    italic: Callable[[str], str]
    plus_minus: str | None
    mark: str


def notes(board: Leaderboard, metric: str) -> str:
    """Return the sentences that say how to read the numbers."""
    return NOTES.format(
        first=find(metric).title,
        seeds=board.seeds,
        level=round(100 * board.level, 6),
        judge=find(JUDGE).title,
        noise=_NOISE[board.noise],
    )


def markdown(board: Leaderboard) -> str:
    """Render as GitHub Markdown."""
    from tabulate import tabulate

    style = _Style(_markdown_text, lambda s: f"**{s}**", lambda s: f"*{s}*", " ± ", "°")
    parts = [f"# {_markdown_text(board.title or board.suite)}", ""]
    for one in board.boards:
        parts += [f"## {_markdown_text(heading(one))}", ""]
        rows = [_cells(one, row, style) for row in one.rows]
        align = ["right", "left", *["right"] * (len(one.metrics) + 2), "left"]
        parts += [tabulate(rows, _header(one), tablefmt="pipe", colalign=align, disable_numparse=True), ""]
    if board.boards:
        parts += [notes(board, board.boards[0].metrics[0]), ""]
    return "\n".join(parts)


def latex(board: Leaderboard) -> str:
    """Render as LaTeX tables (package booktabs), one per dataset."""
    style = _Style(
        _latex_text, lambda s: rf"\textbf{{{s}}}", lambda s: rf"\emph{{{s}}}", r" $\pm$ ", r"$^{\circ}$"
    )
    parts = [f"% {_one_line(board.title or board.suite)}; needs \\usepackage{{booktabs}}"]
    for one in board.boards:
        said = f"{board.title or board.suite}: {heading(one)}. {notes(board, one.metrics[0])}"
        parts += [
            r"\begin{table}",
            rf"\caption{{{_latex_text(said)}}}",
            rf"\begin{{tabular}}{{rl{'r' * (len(one.metrics) + 2)}l}}",
            r"\toprule",
            " & ".join(map(_latex_text, _header(one))) + r" \\",
            r"\midrule",
            *(" & ".join(_cells(one, row, style)) + r" \\" for row in one.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    return "\n".join(parts)


def comma_separated(board: Leaderboard) -> str:
    """Render as CSV with full precision, one line per dataset, method and metric interval in columns."""
    out = io.StringIO()
    metrics = board.boards[0].metrics if board.boards else []
    header = [
        "dataset",
        "synthetic",
        "rank",
        "method",
        "trivial",
        "uses_labels",
        "seeds_planned",
        "seeds_scored",
    ]
    for m in metrics:
        header += [m, f"{m}_low", f"{m}_high"]
    header += ["clusters", "coverage", "seconds", "remarks"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for one in board.boards:
        for row in one.rows:
            line: list[object] = [one.dataset, one.synthetic, row.rank or "", row.method, row.trivial]
            line += [row.uses_labels, row.planned, row.scored]
            for m in metrics:
                n = row.numbers.get(m)
                line += [n.mean, n.low, n.high] if n else ["", "", ""]
            line += [_or_empty(row.clusters), _or_empty(row.coverage), _or_empty(row.seconds)]
            writer.writerow([_safe_cell(v) for v in [*line, "; ".join(row.remarks())]])
    return out.getvalue()


def terminal(board: Leaderboard, width: int) -> list[RenderableType]:
    """Render for a terminal; on a narrow one the intervals stay in the files."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = []
    for one in board.boards:
        narrow = width < 52 + 17 * len(one.metrics)
        style = _Style(
            lambda s: escape(_one_line(s)),
            lambda s: f"[bold green]{s}[/]",
            lambda s: f"[dim italic]{s}[/]",
            None if narrow else " ±",
            "°",
        )
        table = Table(
            title=Text(_one_line(heading(one)), style="bold"),
            box=box.SIMPLE_HEAD,
            title_justify="left",
            pad_edge=False,
        )
        for i, name in enumerate(_header(one)):
            table.add_column(
                name.replace(" ", "\n") if "." in dict(enumerate(one.metrics, 2)).get(i, "") else name,
                justify="left" if i in (1, len(one.metrics) + 4) else "right",
                no_wrap=i != len(one.metrics) + 4,
            )
        for row in one.rows:
            table.add_row(*_cells(one, row, style))
        shown.append(table)
    if board.boards:
        shown.append(Text(notes(board, board.boards[0].metrics[0]), style="dim"))
    return shown


def heading(board: Board) -> str:
    """Return the title of one board: dataset, how much was scored, and whether it was generated."""
    classes = f"{board.classes} classes" if board.classes is not None else "no classes known"
    size = f" ({board.images:,} images, {classes})" if board.images is not None else ""
    return f"{board.dataset}{size}{' · synthetic' if board.synthetic else ''}"


def _header(board: Board) -> list[str]:
    return ["rank", "method", *(_title(m) for m in board.metrics), "clusters", "seconds", "remarks"]


def _title(metric: str) -> str:
    m = find(metric)
    unit = f" [{m.unit}]" if m.unit else ""
    return f"{m.title}{unit}"


def _cells(board: Board, row: Row, style: _Style) -> list[str]:
    name = style.escape(row.method)
    cells = [str(row.rank) if row.rank else "", style.italic(name) if row.trivial else name]
    cells += [_number_text(row.numbers.get(m), row, style) for m in board.metrics]
    cells.append(f"{row.clusters:.4g}" if row.clusters is not None else "")
    cells.append(f"{row.seconds:.1f}" if row.seconds is not None else "")
    cells.append(style.escape("; ".join(row.remarks())))
    return cells


def _number_text(number: Number | None, row: Row, style: _Style) -> str:
    if number is None:
        return "—" if style.mark == "°" else "---"
    text = f"{number.mean:.3f}"
    if style.plus_minus is not None:
        text += f"{style.plus_minus}{number.half_width:.3f}"
    if not row.complete:
        text = f"({text})"  # a mean over what happened to exist does not look like a mean
    if number.best:
        text = style.bold(text)
    return text + (style.mark if number.trivial else "")


def _markdown_text(text: str) -> str:
    text = _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "°": r"$^{\circ}$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "“": "``",
    "”": "''",
}


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _safe_cell(value: object) -> object:
    """Keep a name on its line, and from being taken for a formula by a spreadsheet."""
    if not isinstance(value, str):
        return value
    text = _printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _or_empty(value: float | None) -> object:
    return "" if value is None else value
