"""A report for a terminal, and as Markdown for a bot. What comes from data or suites is escaped in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.regression.finding import Finding, Report
from bench.report.tables.escape import markdown as escaped
from bench.util.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

_HEADER = ("", "what", "dataset", "method", "stage", "before", "after", "change", "noise", "note")
_RIGHT = (5, 6, 7, 8)
_COLOURS = {"worse": "bold red", "failing": "red", "slow tonight": "yellow", "better": "green"}


def terminal(report: Report) -> list[RenderableType]:
    """Render for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = [Text(one_line(line), style="dim") for line in _sides(report)]
    if report.findings:
        columns, fixed = _used(report.findings), (0, *_RIGHT)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for i in columns:
            table.add_column(_HEADER[i], justify="right" if i in _RIGHT else "left", no_wrap=i in fixed)
        for finding in report.findings:
            row = _row(finding)
            style = _COLOURS.get(finding.verdict, "dim")
            table.add_row(*(Text(one_line(row[i]), style=style if i == 0 else "") for i in columns))
        shown.append(table)
    shown += [Text(f"· {one_line(note)}", style="dim") for note in report.notes]
    shown.append(Text(summary(report), style="bold red" if report.regressed else "bold green"))
    return shown


def markdown(report: Report) -> str:
    """Render as GitHub Markdown: the verdict first, changes within noise folded away."""
    from tabulate import tabulate

    parts = [f"### {escaped(f'{report.suite}: {summary(report)}')}", ""]
    quiet = [f for f in report.findings if f.verdict == "within noise"]
    loud = [f for f in report.findings if f.verdict != "within noise"]
    for findings, title in ((loud, ""), (quiet, f"{len(quiet)} changes within noise")):
        if findings:
            columns = _used(findings)
            rows = [[escaped(_row(f)[i]) for i in columns] for f in findings]
            align = ["right" if i in _RIGHT else "left" for i in columns]
            header = [_HEADER[i] for i in columns]
            table = tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)
            folded = [f"<details><summary>{title}</summary>", "", table, "", "</details>"]
            parts += [*(folded if title else [table]), ""]
    parts += [f"- {escaped(line)}" for line in (*_sides(report), *report.notes)]
    return "\n".join([*parts, ""])


def summary(report: Report) -> str:
    """Say the outcome in a line."""
    counts = report.counts()
    found = ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) or "no change"
    judged = ", ".join(f"{n} {_plural(what)}" for what, n in report.compared.items() if n)
    return (
        f"{'REGRESSION' if report.regressed else 'no regression'}: {found}; compared: {judged or 'nothing'}"
    )


def _plural(what: str) -> str:
    return {"time": "times", "memory": "peaks of memory", "GPU memory": "peaks of GPU memory"}.get(what, what)


def _sides(report: Report) -> list[str]:
    sides = [("before", report.before), ("after", report.after)]
    return [f"{word}: {side.described()}" for word, side in sides if side is not None]


def _row(f: Finding) -> tuple[str, ...]:
    return (f.verdict, f.what, f.dataset, f.method, f.part, f.before, f.after, f.change, f.noise, f.note)


def _used(findings: list[Finding]) -> list[int]:
    """Return the columns in which any row says something."""
    rows = [_row(f) for f in findings]
    return [i for i in range(len(_HEADER)) if i == 0 or any(row[i] for row in rows)]
