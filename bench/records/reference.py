"""Tables of the source papers, as data that ships with the package: results/reference/<id>.csv and <id>.yaml.

The CSV holds the numbers as published; the YAML beside it gives their source, corrections with reasons,
their names here, and the tolerance of a comparison.
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


class _ReferenceModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class Citation(_ReferenceModel):
    """Where a table was published."""

    paper: str = Field(min_length=1)
    place: str = Field(min_length=1)
    """Number of the table, or section of the text."""


class Correction(_ReferenceModel):
    """How the data differ from the source, and why."""

    what: str = Field(min_length=1)
    why: str = Field(min_length=1)


class Column(_ReferenceModel):
    """One column of the CSV."""

    title: str = ""
    """As printed in the source; empty if it prints none."""
    metric: str | None = None
    """Our name for it: a column of our tables. None: not comparable."""
    dataset: str | None = None
    """Dataset of the column, as the source names it."""
    unit: str = ""


class RowNote(_ReferenceModel):
    """Our names for a row of the source."""

    method: str | None = None
    dataset: str | None = None
    """As the source names it."""
    datasets: dict[str, str] = {}
    """From the source's name of a dataset to ours, in this row."""
    metric: str | None = None
    """Of the row's number, if metrics belong to rows, not columns."""
    tolerance: float | None = Field(None, gt=0)
    """Default: that of the table."""
    compare: bool = True
    """False: a number that no method here can produce."""


class Tolerance(_ReferenceModel):
    """How far from a published number counts as equal."""

    because: str = Field(min_length=1)
    default: float | None = Field(None, gt=0)
    metrics: dict[str, float] = {}


class TableMetadata(_ReferenceModel):
    """The YAML file beside a table."""

    title: str = Field(min_length=1)
    source: Citation
    corrections: list[Correction]
    columns: dict[str, Column]
    dataset: str | None = None
    """The one dataset of the table."""
    datasets: dict[str, str] = {}
    """From the source's name of a dataset to ours, if they differ by more than case and punctuation."""
    rows: dict[str, RowNote] = {}
    """By the row's first column other than `dataset`."""
    images: dict[str, int] = {}
    """Images scored in the source, by our name of the dataset."""
    tolerance: Tolerance | None = None
    protocol: list[str] = []
    """How the source's experiment differs from ours, and its own inconsistencies; a sentence each."""
    settings: dict[str, dict[str, Any]] = {}
    """Published parameters of our methods, by name or pattern: `encoder.epochs: 100`, or a list of values
    that all count as published."""


@dataclass(frozen=True)
class PublishedNumber:
    """One number of a published table, under our names."""

    dataset: str
    method: str
    metric: str
    value: float
    decimals: int
    """As written in the CSV."""
    row: str
    """The source's name of the method."""
    tolerance: float


@dataclass(frozen=True)
class Published:
    """One published table with its metadata."""

    id: str
    metadata: TableMetadata
    header: list[str]
    rows: list[dict[str, str]]

    def numbers(self) -> Iterator[PublishedNumber]:
        """Yield the numbers that are comparable with our records, row by row."""
        for row in self.rows:
            key = _key(row)
            note = self.metadata.rows.get(key, RowNote())
            for name, text in row.items():
                column = self.metadata.columns[name]
                metric = column.metric or (note.metric if name == "value" else None)
                if metric is None or not text or not note.compare:
                    continue
                theirs = note.dataset or column.dataset or row.get("dataset") or self.metadata.dataset or ""
                ours = {**self.metadata.datasets, **note.datasets}.get(theirs, theirs)
                decimals = len(text.partition(".")[2])
                method = note.method or key
                tolerance = note.tolerance or self.tolerance(metric)
                yield PublishedNumber(ours, method, metric, float(text), decimals, key, tolerance)

    def tolerance(self, metric: str) -> float:
        """Return how far from a number of this metric counts as equal. Raises `DataError` if undefined."""
        stated = self.metadata.tolerance
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
    """Read a published table. Raises `DataError` for an unknown name, `FileError` for invalid YAML."""
    if name not in tables():
        raise DataError(f"no published table {name!r}; {suggest(name, sorted(tables()))}")
    return read_file(tables()[name])


def read_file(path: Path) -> Published:
    """Read a CSV file and the YAML file beside it; see `read`."""
    header, *lines = _lines(path)
    tree = read_yaml(path.with_suffix(".yaml"))
    metadata, wrong = validated(TableMetadata, tree.value, {})
    if metadata is not None:
        wrong = [
            (
                ("columns", *([c] if c in metadata.columns else [])),
                f"{c!r} is here or in the CSV file, not in both",
            )
            for c in sorted(set(header) ^ set(metadata.columns))
        ]
        rows = [dict(zip(header, line, strict=True)) for line in lines]
        unknown = sorted(set(metadata.rows) - {_key(r) for r in rows})
        wrong += [(("rows", k), f"the CSV file has no row {k!r}") for k in unknown]
    if wrong:
        raise FileError(
            [Problem(tree.file, tree.line(w), f"{'.'.join(map(str, w))}: {text}") for w, text in wrong]
        )
    return Published(path.stem, metadata, header, rows)


def markdown(name: str) -> str:
    """Return a published table as Markdown, under a heading."""
    from tabulate import tabulate

    header, *rows = _lines(tables()[name])
    align = ["left"] + ["right"] * (len(header) - 1)
    body = tabulate(rows, header, tablefmt="pipe", colalign=align, disable_numparse=True)
    metadata = read(name).metadata
    source = f"{metadata.source.paper}, {metadata.source.place}"
    return f"## As published ({name})\n\n{metadata.title}; {source}.\n\n{body}\n"


def terminal(name: str) -> Table:
    """Return a published table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    header, *rows = _lines(tables()[name])
    source = read(name).metadata.source
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
