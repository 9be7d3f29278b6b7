"""Tables that users write about runs and particles: groups by run, labels by particle."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import DataError
from bench.interfaces import Json
from bench.layouts.tablefile import TextTable, read_table
from bench.layouts.textvalues import clean_labels, is_missing, whole

RunGroups = dict[str, dict[str, str | int | None]]
"""Column -> run -> value; whole numbers for the column "day"."""

_ROOM = 10
_MAX_BYTES = 1 << 24
_MAX_LABEL_BYTES = 1 << 28
_MAX_PATH = 300


@dataclass
class Findings:
    """What was left out of a dataset or is odd about it, each with its count and the first few locations."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, places: Iterable[str], n: int = 1) -> None:
        """Add `n` cases; `places` is consumed only as far as examples are still shown."""
        if n:
            self.counts[what] = self.counts.get(what, 0) + n
            shown = self.first.setdefault(what, [])
            shown += [place for _, place in zip(range(_ROOM - len(shown)), places, strict=False)]

    def add_notes(self, name: str, notes: Iterable[str]) -> None:
        """Add what a table was taken for."""
        for note in notes:
            self.add(f"tables with a note: {note}", [name])

    def notes(self) -> dict[str, Json]:
        """Return all of it, as the notes of an image set."""
        return {what: {"count": n, "first": self.first[what]} for what, n in sorted(self.counts.items())}

    def __str__(self) -> str:
        return "; ".join(f"{n} {what} ({self.first[what][0]})" for what, n in sorted(self.counts.items()))


def groups_by_pattern(pattern: str, paths: Mapping[str, str], findings: Findings) -> RunGroups:
    """Search each run's path for a regular expression, and return its named groups.

    Parameters
    ----------
    paths : run -> path, of at most 300 characters: a bound on the time that a bad expression can take.

    Raises
    ------
    DataError : a path is too long, or a day is not a whole number.
    """

    def found() -> Iterator[tuple[str, str, Mapping[str, str | None]]]:
        for run, path in paths.items():
            if len(path) > _MAX_PATH:
                raise DataError(f"{path}: has more than {_MAX_PATH} characters, too many for run_pattern")
            match = re.search(pattern, path)
            if match is None:
                findings.add("runs that run_pattern does not match", [path])
            else:
                yield f"{path}: by run_pattern {pattern!r}", run, match.groupdict()

    return _collected(found())


def groups_by_table(path: Path, runs: Iterable[str], taken: Iterable[str], findings: Findings) -> RunGroups:
    """Read a table with the column `run` and one for each group, and return what it says of `runs`.

    Parameters
    ----------
    taken : names that the groups' columns must not have.

    Raises
    ------
    DataError : no such table; a run twice, a line with fields missing, a day that is not a whole number.
    """
    runs = list(runs)
    table = read_table(path, ("run",), max_bytes=_MAX_BYTES)
    if table.ragged:
        raise DataError(table.ragged[0])
    findings.add_notes(path.name, table.notes)
    if clash := sorted(set(taken) & set(table.columns) - {"run"}):
        raise DataError(f"{path}:1: the column {clash[0]!r} is one of every table; choose another name")
    names = table.columns["run"]
    row_of: dict[str, int] = {}
    for row, run in enumerate(names):
        if row_of.setdefault(run, row) != row:
            raise DataError(
                f"{table.where(row)}: the run {run!r} was there before, {table.where(row_of[run])}"
            )
    for run in names:
        if run not in runs:
            findings.add("runs of the mapping that are not there", [run])
    for run in runs:
        if run not in row_of:
            findings.add("runs that the mapping lacks", [run])
    columns = {column: v for column, v in table.columns.items() if column not in ("run", "")}
    found = (
        (table.where(row_of[run]), run, {column: v[row_of[run]] for column, v in columns.items()})
        for run in runs
        if run in row_of
    )
    return _collected(found)


def read_labels(path: Path, findings: Findings) -> tuple[str, dict[str, str]]:
    """Read the labels of particles.

    The label stands in the column `label` or `class`; `nan`, `NA` and their like are none. The particle is
    named by its `image_id` (a GUID, in any case), or by `id` (`<run>/<particle>`), or by `run` and
    `particle`.

    Returns
    -------
    "image_id" or "id", and the label by that. Particles with two different labels have none.

    Raises
    ------
    DataError : no such table, or columns missing.
    """
    table = read_table(path, max_bytes=_MAX_LABEL_BYTES)
    column = next((c for c in ("label", "class") if c in table.columns), None)
    by = next((c for c in ("image_id", "id", "particle") if c in table.columns), None)
    if column is None or by is None or (by == "particle" and "run" not in table.columns):
        raise DataError(
            f"{path}:1: needs a column label or class, and image_id, or id, or both run and particle; "
            f"it has {', '.join(map(repr, list(table.columns)[:10]))}"
        )
    findings.add_notes(path.name, table.notes)
    findings.add("labels in damaged lines", (_below(path, line) for line in table.ragged), len(table.ragged))
    labels: dict[str, str] = {}
    torn: set[str] = set()
    values, notes = clean_labels(table.columns[column], table.where)
    findings.add_notes(path.name, notes)
    for row, (key, label) in enumerate(zip(_keys(table, by), values, strict=True)):
        if label and labels.setdefault(key, label) != label:
            torn.add(key)
            where = _below(path, table.where(row))
            findings.add("labels that contradict an earlier one", [f"{where}: {key} {label!r}"])
    by = "image_id" if by == "image_id" else "id"
    return by, {key: label for key, label in labels.items() if key not in torn}


def _keys(table: TextTable, by: str) -> Iterator[str]:
    if by == "particle":
        for run, particle in zip(table.columns["run"], table.columns["particle"], strict=True):
            yield f"{run}/{whole(particle)}"
    else:
        for key in table.columns[by]:
            yield key.upper() if by == "image_id" else key


def _below(path: Path, where: str) -> str:
    """Name a file without its folder, so that notes do not depend on where the data is."""
    return path.name + where.removeprefix(str(path))


def _collected(found: Iterable[tuple[str, str, Mapping[str, str | None]]]) -> RunGroups:
    groups: RunGroups = {}
    for where, run, values in found:
        for column, text in values.items():
            value = None if text is None or is_missing(text) else text
            if column == "day" and value:
                value = whole(value)
            if column == "day" and value and not re.fullmatch(r"-?[0-9]{1,9}", value):
                raise DataError(f"{where}: day is {value!r}, not a whole number")
            of_run = groups.setdefault(column, {})
            of_run[run] = (int(value) if column == "day" else value) if value else None
    return groups
