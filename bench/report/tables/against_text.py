"""Comparisons with published tables in several formats. What comes from data or suites is escaped in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.metrics.names import find
from bench.report.tables import escape
from bench.report.tables.against import PublishedComparison, PublishedPair, Verdict
from bench.report.tables.html import page
from bench.report.tables.layout import Block, Sheet, TableCell, TableColumn
from bench.util.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADER = ("dataset", "method", "metric", "ours", "published", "difference", "tolerance", "verdict")
_STYLES = {Verdict.WITHIN: "green", Verdict.DIFFERS: "yellow"}


def markdown(comparisons: Sequence[PublishedComparison]) -> str:
    """Render as GitHub Markdown."""
    from tabulate import tabulate

    parts = []
    for one in comparisons:
        rows = [[escape.markdown(c) for c in row] for row in _table(one, " ± ")]
        align = ["left"] * 3 + ["right"] * 4 + ["left"]
        parts += [f"# {escape.markdown(_heading(one))}", "", escape.markdown(_source(one)), ""]
        if rows:
            parts += [tabulate(rows, HEADER, tablefmt="pipe", colalign=align, disable_numparse=True), ""]
        for title, sentences in _notes(one):
            parts += [f"{title}:", "", *(f"- {escape.markdown(s)}" for s in sentences), ""]
    return "\n".join(parts)


def latex(comparisons: Sequence[PublishedComparison]) -> str:
    """Render as LaTeX tables (packages booktabs and longtable), notes below."""
    parts = [r"% needs \usepackage{booktabs,longtable}"]
    for one in comparisons:
        body = [" & ".join(map(escape.latex, row)) + r" \\" for row in _table(one, " ± ")]
        parts += [
            r"\begin{longtable}{lllrrrrl}",
            rf"\caption{{{escape.latex(f'{_heading(one)}. {_source(one)} {one.conclusion}')}}} \\",
            r"\toprule",
            " & ".join(HEADER) + r" \\",
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *body,
            r"\end{longtable}",
        ]
        for title, sentences in _notes(one):
            items = [rf"\item {escape.latex(s)}" for s in sentences]
            parts += [rf"\par {escape.latex(title)}:", r"\begin{itemize}", *items, r"\end{itemize}"]
        parts.append("")
    return "\n".join(parts)


def html(comparisons: Sequence[PublishedComparison]) -> str:
    """Render as one HTML page that needs nothing else."""
    columns = [TableColumn(name, left=not 3 <= i <= 6) for i, name in enumerate(HEADER)]
    blocks = [
        Block(
            _heading(one),
            columns,
            [[TableCell(c) for c in row] for row in _table(one, " ± ")],
            [_source(one), *(f"{title}: {' '.join(sentences)}" for title, sentences in _notes(one))],
        )
        for one in comparisons
    ]
    return page(Sheet("Beside what was published", blocks, []))


def comma_separated(comparisons: Sequence[PublishedComparison]) -> str:
    """Render as CSV with full precision, one line per published number."""
    out = io.StringIO()
    lines = [line for one in comparisons for line in _lines(one)]
    writer = csv.DictWriter(out, list(_FIELDS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else escape.csv_cell(v) for k, v in line.items()} for line in lines)
    return out.getvalue()


def to_json(comparisons: Sequence[PublishedComparison]) -> list[dict[str, Any]]:
    """Return everything, for machines."""
    return [
        {
            "suite": one.suite,
            "title": one.title,
            "reference": one.published.id,
            "published_title": one.published.metadata.title,
            "source": one.published.metadata.source.model_dump(),
            "level": one.level,
            "numbers": list(_lines(one)),
            "verdicts": {str(v): one.counts[v] for v in Verdict},
            "conclusion": one.conclusion,
            "notes": dict(_notes(one)),
        }
        for one in comparisons
    ]


def terminal(comparisons: Sequence[PublishedComparison]) -> list[RenderableType]:
    """Render for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = []
    for one in comparisons:
        table = Table(
            title=Text(one_line(_heading(one)), style="bold"),
            box=box.SIMPLE_HEAD,
            title_justify="left",
            pad_edge=False,
        )
        for i, name in enumerate(HEADER):
            table.add_column(name, justify="right" if 3 <= i <= 6 else "left", no_wrap=i != 7)
        for pair, row in zip(one.pairs, _table(one, " ±"), strict=True):
            texts = [Text(one_line(c)) for c in row]
            texts[-1].stylize(_STYLES.get(pair.verdict, "dim"))
            table.add_row(*texts)
        shown += [table, Text(one_line(_source(one)), style="dim")]
        for title, sentences in _notes(one):
            shown.append(Text(f"{title}:", style="bold"))
            shown += [Text(f"  · {one_line(s)}") for s in sentences]
    return shown


def _heading(one: PublishedComparison) -> str:
    return f"{one.title or one.suite}: ours ({one.suite}) beside the published {one.published.id}"


def _source(one: PublishedComparison) -> str:
    about = one.published.metadata
    return f"Published: {about.title}; {about.source.paper}, {about.source.place}."


def _notes(one: PublishedComparison) -> Iterator[tuple[str, list[str]]]:
    about = one.published.metadata
    reading = (
        f"Ours are means over seeds ± the longer arm of their {round(100 * one.level, 6):g} % interval. The "
        "difference is ours minus the published one. The verdict also tells if a number that differs may lie "
        "in our interval, and if our interval is wider than the tolerance."
    )
    because = about.tolerance.because if about.tolerance else ""
    yield "Conclusion", [one.conclusion, reading]
    for title, sentences in (
        ("Tolerance", [because] if because else []),
        ("This run departs from what was published", one.departures),
        ("Of our rows", one.remarks),
        ("The protocols", about.protocol),
        ("Corrected in the published table", [f"{c.what} {c.why}" for c in about.corrections]),
    ):
        if sentences:
            yield title, list(sentences)


def _table(one: PublishedComparison, plus_minus: str) -> list[list[str]]:
    """Return the texts of all cells; names that repeat from line to line are left out."""
    rows = []
    above: tuple[str, str] = ("", "")
    for pair in one.pairs:
        number = pair.published
        here = (number.dataset, number.row)
        names = ["" if here[0] == above[0] else here[0], "" if here == above else here[1]]
        above = here
        m = find(number.metric)
        rows.append(
            [
                *names,
                f"{m.title}{f' [{m.unit}]' if m.unit else ''}",
                _ours(pair, plus_minus),
                f"{number.value:.{number.decimals}f}",
                "" if pair.difference is None else f"{pair.difference:+.3f}",
                f"{number.tolerance:g}",
                _verdict(pair),
            ]
        )
    return rows


def _ours(pair: PublishedPair, plus_minus: str) -> str:
    if pair.ours is None:
        return ""
    arm = "" if pair.ours.unsure else f"{plus_minus}{pair.ours.half_width:.3f}"
    text = f"{pair.ours.mean:z.3f}{arm}"
    return f"({text})" if pair.verdict is Verdict.INCOMPLETE else text


def _verdict(pair: PublishedPair) -> str:
    if pair.why:
        return f"{pair.verdict}: {pair.why}"
    if pair.verdict is Verdict.DIFFERS and pair.inside:
        return f"{pair.verdict}, inside our interval"
    if pair.verdict is Verdict.WITHIN and pair.ours and pair.ours.half_width > pair.published.tolerance:
        return f"{pair.verdict}, our interval is wider"
    return str(pair.verdict)


_FIELDS: dict[str, Callable[[PublishedComparison, PublishedPair], object]] = {
    "reference": lambda c, _: c.published.id,
    "dataset": lambda _, p: p.published.dataset,
    "method": lambda _, p: p.published.method,
    "published_as": lambda _, p: p.published.row,
    "metric": lambda _, p: p.published.metric,
    "ours": lambda _, p: p.ours.mean if p.ours else None,
    "ours_low": lambda _, p: p.ours.low if p.ours else None,
    "ours_high": lambda _, p: p.ours.high if p.ours else None,
    "published": lambda _, p: p.published.value,
    "difference": lambda _, p: p.difference,
    "tolerance": lambda _, p: p.published.tolerance,
    "verdict": lambda _, p: str(p.verdict),
    "why": lambda _, p: p.why,
    "inside_interval": lambda _, p: None if p.difference is None else p.inside,
}


def _lines(one: PublishedComparison) -> Iterator[dict[str, object]]:
    for pair in one.pairs:
        yield {name: value(one, pair) for name, value in _FIELDS.items()}
