"""A table as one HTML page that needs nothing else, or as a part of one."""

from __future__ import annotations

from itertools import groupby

from bench.report.tables.escape import hypertext
from bench.report.tables.layout import Block, Column, Entry, Sheet

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


def page(sheet: Sheet) -> str:
    """Render as a whole page."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{hypertext(sheet.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{hypertext(sheet.title)}</h1>\n{fragment(sheet)}</body>\n</html>\n"
    )


def fragment(sheet: Sheet) -> str:
    """Render the tables and the notes, for a page that has a head of its own."""
    notes = "".join(f"<p>{hypertext(n)}</p>\n" for n in sheet.notes)
    tail = f'<div class="notes">\n{notes}</div>\n' if notes else ""
    return "".join(_table(block) for block in sheet.blocks) + tail


def _table(block: Block) -> str:
    caption = f"<caption>{hypertext(block.heading)}</caption>\n" if block.heading else ""
    rows = "".join(_row(block.columns, row) for row in block.rows)
    notes = "".join(f'<p class="notes">{hypertext(n)}</p>\n' for n in block.notes)
    return (
        f'<div class="wide">\n<table>\n{caption}<thead>\n{_head(block.columns)}</thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n{notes}</div>\n"
    )


def _head(columns: list[Column]) -> str:
    grouped = ""
    if any(c.group for c in columns):
        for group, members in groupby(columns, key=lambda c: c.group):
            span = len(list(members))
            grouped += (
                f'<th scope="colgroup" colspan="{span}">{hypertext(group)}</th>'
                if group
                else (f'<td colspan="{span}"></td>')
            )
        grouped = f"<tr>{grouped}</tr>\n"
    titles = "".join(f'<th scope="col"{_side(c)}>{hypertext(c.title)}</th>' for c in columns)
    return f"{grouped}<tr>{titles}</tr>\n"


def _row(columns: list[Column], entries: list[Entry]) -> str:
    cells = []
    for column, entry in zip(columns, entries, strict=True):
        if column.head:
            cells.append(f'<th scope="row"{_side(column)}>{_entry(entry)}</th>')
        else:
            cells.append(f"<td{_side(column)}>{_entry(entry)}</td>")
    return f"<tr>{''.join(cells)}</tr>\n"


def _side(column: Column) -> str:
    return ' class="left"' if column.left else ""


def _entry(entry: Entry) -> str:
    text = hypertext(entry.text)
    if entry.spread:
        text += f' <span class="spread">± {hypertext(entry.spread)}</span>'
    if entry.incomplete:
        text = f'<span title="a mean of only some of the planned seeds">({text})</span>'
    if entry.best:
        text = f'<strong title="best">{text}</strong>'
    if entry.second:
        text = f'<span class="second" title="second">{text}</span>'
    if entry.baseline:
        text = f'<i class="baseline" title="trivial baseline">{text}</i>'
    if entry.trivial:
        text += '<span title="not better than the best trivial baseline">°</span>'
    return text
