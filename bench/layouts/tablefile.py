"""Text tables that come with datasets: csv, tsv and their like, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import DataError
from bench.layouts.textvalues import decode, separator, separator_note

MAX_BYTES = 1 << 30
"""A larger table, also once unpacked, is refused."""


@dataclass(frozen=True)
class TextTable:
    """The rows of one file, as text, with the line each comes from."""

    path: Path
    columns: Mapping[str, Sequence[str]]
    """Values by column, all of one length, without surrounding blanks; "" where the file has no value."""
    lines: Sequence[int]
    """Line of each row; the first line of the file is 1."""
    ragged: Sequence[str]
    """Rows left out because they have more or fewer fields than the header: file, line and both numbers."""
    notes: Sequence[str] = ()
    """What the file was taken for where it is not plain: other separators, another encoding."""

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, row: int) -> str:
        """Return file and line of a row, for messages."""
        return f"{self.path}:{self.lines[row]}"


def read_table(
    path: Path, required: Sequence[str] = (), *, delimiter: str = ",", max_bytes: int = MAX_BYTES
) -> TextTable:
    """Read a table whose first line names its columns.

    UTF-8, with or without a byte-order mark, or what `textvalues.decode` knows; any line ends; fields may be
    quoted. A name ending in `.gz` is unpacked. Columns may be separated by commas, semicolons or tabs where
    the header decides it, and required columns are found in any case. Values lose surrounding blanks, and
    nothing else: "NA" and "" stay what they are.

    Parameters
    ----------
    delimiter : what separates columns, unless another one alone gives a header with the required columns.

    Raises
    ------
    DataError : not there, too large, another encoding, damaged, empty, repeated or missing columns.
    """
    text, notes = decode(_bytes(path, max_bytes), path)
    found = separator(text.split("\n", 1)[0].rstrip("\r"), delimiter, required)
    notes = [*notes, *([separator_note(found)] if found != delimiter else [])]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=found, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    ragged: list[str] = []
    try:
        header = _in_case([name.strip() for name in next(reader, [])], required)
        _check_header(path, header, required)
        before = reader.line_num
        for row in reader:
            line, before = before + 1, reader.line_num
            if len(row) == len(header):
                rows.append([value.strip() for value in row])
                lines.append(line)
            elif row:
                ragged.append(f"{path}:{line}: has {len(row)} fields, the header {len(header)}")
    except csv.Error as e:
        raise DataError(f"{path}:{reader.line_num}: is not a valid table: {e}") from None
    values = zip(*rows, strict=True) if rows else ([] for _ in header)
    return TextTable(path, dict(zip(header, map(list, values), strict=True)), lines, ragged, notes)


def _in_case(header: list[str], required: Sequence[str]) -> list[str]:
    """Return a header in which required columns have their own spelling, where one differs in case alone."""
    spelling = {name.lower(): name for name in required if name not in header}
    lower = [name.lower() for name in header]
    return [
        spelling.get(key, name) if lower.count(key) == 1 else name
        for name, key in zip(header, lower, strict=True)
    ]


def _check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    if not any(header):
        raise DataError(f"{path}: is empty; expected a table with a header")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{path}:1: the column {repeated[0]!r} appears more than once")
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(
            f"{path}:1: has no column {missing[0]!r}; it has {', '.join(map(repr, header[:20]))}"
            f"{' and more' if len(header) > 20 else ''}"
        )


def _bytes(path: Path, max_bytes: int) -> bytes:
    try:
        if not path.is_file():  # opening a FIFO would block
            raise DataError(f"{path}: there is no such file")
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as f:
            data = f.read(max_bytes + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise DataError(f"{path}: is damaged: {e}") from None
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror or e}") from None
    if len(data) > max_bytes:
        raise DataError(f"{path}: is larger than {max_bytes} bytes; is this the right file?")
    if data.startswith(b"version https://git-lfs"):
        raise DataError(f"{path}: is a Git LFS pointer, not the table itself; run `git lfs pull`")
    return data
