"""Tables of the source papers, as data that ships with the package: results/reference/<id>.csv and <id>.yaml.

The CSV holds the numbers as the source has them; the YAML beside it says where they stand there, what
was corrected and why, what they are called here, and how near to them counts as the same.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from bench.errors import DataError
from bench.util.text import suggest
from bench.util.validation import validated
from bench.util.yamlfile import FileError, Problem
from bench.util.yamlfile import read as read_yaml

if TYPE_CHECKING:
    from rich.table import Table


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Source(_Strict):
    """Where a table was published."""

    paper: str = Field(min_length=1)
    place: str = Field(min_length=1)
    """Number of the table, or the part of the text."""


class Correction(_Strict):
    """What the data have otherwise than the source, and why."""

    what: str = Field(min_length=1)
    why: str = Field(min_length=1)


class Column(_Strict):
    """One column of the CSV."""

    title: str = ""
    """As the source prints it; empty where it prints none."""
    metric: str | None = None
    """What we call it: a column of our tables. None: not comparable."""
    dataset: str | None = None
    """Dataset that the column is about, as the source names it."""
    unit: str = ""


class RowNote(_Strict):
    """What a row of the source is called here."""

    method: str | None = None
    dataset: str | None = None
    """As the source names it."""
    datasets: dict[str, str] = {}
    """From the source's name of a dataset to ours, in this row."""
    metric: str | None = None
    """Of the row's number, where rows and not columns have metrics."""
    tolerance: float | None = Field(None, gt=0)
    """Unless given, that of the table."""
    compare: bool = True
    """False: a number that no method here can be asked for."""


class Tolerance(_Strict):
    """How far from a published number counts as the same."""

    because: str = Field(min_length=1)
    default: float | None = Field(None, gt=0)
    metrics: dict[str, float] = {}


class About(_Strict):
    """The YAML file beside a table."""

    title: str = Field(min_length=1)
    source: Source
    corrections: list[Correction]
    columns: dict[str, Column]
    dataset: str | None = None
    """The one dataset of the table."""
    datasets: dict[str, str] = {}
    """From the source's name of a dataset to ours, where they differ by more than case and punctuation."""
    rows: dict[str, RowNote] = {}
    """By the row's first column, `dataset` aside."""
    images: dict[str, int] = {}
    """Images scored in the source, by our name of the dataset."""
    tolerance: Tolerance | None = None
    protocol: list[str] = []
    """How the source's experiment differs from ours, and what in it contradicts itself; a sentence each."""
    settings: dict[str, dict[str, Any]] = {}
    """Published parameters of our methods, by name or pattern: `encoder.epochs: 100`, or a list of values any
    of which is as published."""


@dataclass(frozen=True)
class PublishedNumber:
    """One number of a published table, under the names that we have for what it is about."""

    dataset: str
    method: str
    metric: str
    value: float
    decimals: int
    """Printed in the CSV."""
    row: str
    """What the source calls the method."""
    tolerance: float


@dataclass(frozen=True)
class Published:
    """One published table with what there is to know of it."""

    id: str
    about: About
    header: list[str]
    rows: list[dict[str, str]]

    def numbers(self) -> Iterator[PublishedNumber]:
        """Yield what can be compared with our records, row by row."""
        for row in self.rows:
            key = _key(row)
            note = self.about.rows.get(key, RowNote())
            for column, text in row.items():
                about = self.about.columns[column]
                metric = about.metric or (note.metric if column == "value" else None)
                if metric is None or not text or not note.compare:
                    continue
                theirs = note.dataset or about.dataset or row.get("dataset") or self.about.dataset or ""
                ours = {**self.about.datasets, **note.datasets}.get(theirs, theirs)
                decimals = len(text.partition(".")[2])
                method = note.method or key
                near = note.tolerance or self.tolerance(metric)
                yield PublishedNumber(ours, method, metric, float(text), decimals, key, near)

    def tolerance(self, metric: str) -> float:
        """Return how far from a number of this metric counts as the same. Raises `DataError` if unsaid."""
        stated = self.about.tolerance
        value = stated.metrics.get(metric, stated.default) if stated else None
        if value is None:
            raise DataError(f"{self.id}.yaml: tolerance: none for {metric!r}, and no default")
        return value


@functools.cache
def tables() -> dict[str, Path]:
    """Return the files of all reference tables, by name."""
    spec = importlib.util.find_spec("bench.reference")
    folders = (spec.submodule_search_locations if spec else None) or []
    return {p.stem: p for folder in folders for p in sorted(Path(folder).glob("*.csv"))}


def read(name: str) -> Published:
    """Read a published table. Raises `DataError` for a name not known, `FileError` for a wrong YAML file."""
    if name not in tables():
        raise DataError(f"no published table {name!r}; {suggest(name, sorted(tables()))}")
    return read_file(tables()[name])


def read_file(path: Path) -> Published:
    """Read a CSV file and the YAML file beside it; see `read`."""
    header, *lines = _lines(path)
    tree = read_yaml(path.with_suffix(".yaml"))
    about, wrong = validated(About, tree.value, {})
    if about is not None:
        wrong = [
            (
                ("columns", *([c] if c in about.columns else [])),
                f"{c!r} is here or in the CSV file, not in both",
            )
            for c in sorted(set(header) ^ set(about.columns))
        ]
        rows = [dict(zip(header, line, strict=True)) for line in lines]
        unknown = sorted(set(about.rows) - {_key(r) for r in rows})
        wrong += [(("rows", k), f"the CSV file has no row {k!r}") for k in unknown]
    if wrong:
        raise FileError(
            [Problem(tree.file, tree.line(w), f"{'.'.join(map(str, w))}: {text}") for w, text in wrong]
        )
    return Published(path.stem, about, header, rows)


def markdown(name: str) -> str:
    """Return a published table as Markdown, under a heading that says what it is."""
    from tabulate import tabulate

    header, *rows = _lines(tables()[name])
    align = ["left"] + ["right"] * (len(header) - 1)
    body = tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)
    about = read(name).about
    return (
        f"## As published ({name})\n\n{about.title}; {about.source.paper}, {about.source.place}.\n\n{body}\n"
    )


def terminal(name: str) -> Table:
    """Return a published table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    header, *rows = _lines(tables()[name])
    source = read(name).about.source
    table = Table(
        title=f"As published ({name})",
        caption=Text(f"{source.paper}, {source.place}"),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    for i, column in enumerate(header):
        table.add_column(column, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _key(row: dict[str, str]) -> str:
    return next(text for column, text in row.items() if column != "dataset")


def _lines(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.reader(f))
