"""A table as one HTML page that needs nothing else, or as a part of one."""

from __future__ import annotations

from itertools import groupby

from bench.report.tables.layout import Block, Sheet, TableCell, TableColumn
from bench.util.html import Html, join, tag

STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
.wide { overflow-x: auto; margin: 2rem 0; }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; }
thead tr:last-child th { border-bottom: 1px solid; }
.left { text-align: left; white-space: normal; }
td.left { min-width: 9em; }
tbody th { font-weight: 400; text-align: left; white-space: nowrap; }
tbody tr:hover { background: #f2f2f2; }
.spread, .baseline, .notes { color: #555; }
.second { text-decoration: underline; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #161616; }
  tbody tr:hover { background: #262626; }
  .spread, .baseline, .notes { color: #a6a6a6; }
}
"""
_NEW_LINE = Html("\n")  # one row per line, so that diffs of a leaderboard stay readable


def page(sheet: Sheet) -> str:
    """Render as a whole page."""
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", sheet.title),
        Html(f"<style>\n{STYLE}</style>"),
    ]
    body = tag("body", tag("h1", sheet.title), fragment(sheet))
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), body, lang='en')}\n"


def fragment(sheet: Sheet) -> Html:
    """Render the tables and the notes, for a page that has a head of its own."""
    notes = tag("div", [tag("p", n) for n in sheet.notes], class_="notes") if sheet.notes else None
    return join([[_table(block) for block in sheet.blocks], notes])


def _table(block: Block) -> Html:
    table = tag(
        "table",
        tag("caption", block.heading) if block.heading else None,
        tag("thead", _head(block.columns)),
        tag("tbody", [[_row(block.columns, row), _NEW_LINE] for row in block.rows]),
    )
    return tag("div", table, [tag("p", n, class_="notes") for n in block.notes], class_="wide")


def _head(columns: list[TableColumn]) -> list[Html]:
    groups = []
    for group, members in groupby(columns, key=lambda c: c.group):
        span = len(list(members))
        groups.append(tag("th", group, scope="colgroup", colspan=span) if group else tag("td", colspan=span))
    titles = tag("tr", [tag("th", c.title, scope="col", class_=_side(c)) for c in columns])
    return [tag("tr", groups), titles] if any(c.group for c in columns) else [titles]


def _row(columns: list[TableColumn], entries: list[TableCell]) -> Html:
    cells = []
    for column, entry in zip(columns, entries, strict=True):
        scope = "row" if column.head else None
        cells.append(tag("th" if scope else "td", _entry(entry), scope=scope, class_=_side(column)))
    return tag("tr", cells)


def _side(column: TableColumn) -> str | None:
    return "left" if column.left else None


def _entry(entry: TableCell) -> Html:
    spread = tag("span", f"± {entry.spread}", class_="spread") if entry.spread else None
    shown = join([entry.text, " " if spread else None, spread])
    if entry.incomplete:
        shown = tag("span", "(", shown, ")", title="a mean of only some of the planned seeds")
    if entry.best:
        shown = tag("strong", shown, title="best")
    if entry.second:
        shown = tag("span", shown, class_="second", title="second")
    if entry.baseline:
        shown = tag("i", shown, class_="baseline", title="trivial baseline")
    if entry.trivial:
        shown = join([shown, tag("span", "°", title="not better than the best trivial baseline")])
    return shown
