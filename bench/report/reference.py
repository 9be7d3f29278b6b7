"""Tables of the source papers, as data that ships with the package (results/reference)."""

from __future__ import annotations

import csv
import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


@functools.cache
def tables() -> dict[str, Path]:
    """Return the files of all reference tables, by name."""
    spec = importlib.util.find_spec("bench.reference")
    folders = (spec.submodule_search_locations if spec else None) or []
    return {p.stem: p for folder in folders for p in sorted(Path(folder).glob("*.csv"))}


def markdown(name: str) -> str:
    """Return a published table as Markdown, under a heading that says what it is."""
    from tabulate import tabulate

    header, *rows = _read(name)
    align = ["left"] + ["right"] * (len(header) - 1)
    body = tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)
    return f"## As published ({name})\n\n{body}\n"


def terminal(name: str) -> Table:
    """Return a published table for a terminal."""
    from rich import box
    from rich.table import Table

    header, *rows = _read(name)
    table = Table(title=f"As published ({name})", box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for i, column in enumerate(header):
        table.add_column(column, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _read(name: str) -> list[list[str]]:
    with tables()[name].open(newline="", encoding="utf-8") as f:
        return list(csv.reader(f))
