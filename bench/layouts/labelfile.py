"""Label files: one label per image, by id or by position."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.layouts.textvalues import (
    clean_labels,
    decode,
    header_of_labels,
    separator,
    separator_note,
)
from bench.util.text import plural

NOISE = -1
"""In a prediction: noise. In truth: an unknown label."""

_SHOWN = 3
"""How many ids a message names."""


@dataclass(frozen=True)
class LabelFile:
    """The labels of one file, in its order."""

    path: Path
    labels: NDArray[np.int64]
    """Shape (n,): equal labels have equal codes; -1 where the file has -1 or no value."""
    empty: NDArray[np.bool_]
    """Shape (n,): where the file has no value, or a word such as `nan` in its place."""
    ids: Sequence[str] | None = None
    lines: Sequence[int] | None = None
    """Line of each label; None for files without lines."""
    notes: Sequence[str] = ()
    """What was taken as what where the file leaves room for doubt, in sentences without the path."""

    def where(self, i: int) -> str:
        """Return file and line, or row, of the i-th label, for messages."""
        return f"{self.path}:{self.lines[i]}" if self.lines else f"{self.path}: row {i + 1}"


def read_labels(path: Path) -> LabelFile:
    """Read a label file: .csv, .npy or .parquet.

    csv: a header with the columns `id` and `label` (others are ignored), or one label a line, with
    the header `label`, none, or any name above whole numbers. Labels are names, so `1` and `01` differ;
    what else the text of a table means (encodings, missing values, `3.0`) see `textvalues`.
    npy: integers, whole floats or text, shape (n,). parquet: columns `id` and `label`, or one column.
    Raises `DataError` if the file is malformed, or if it cannot be known what it means.
    """
    readers = {".csv": _read_csv, ".npy": _read_npy, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path}: labels are read from {', '.join(readers)}, not {path.suffix or 'no suffix'!r}"
        )
    try:
        file = reader(path)
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {' '.join(str(e.strerror or e).split())}") from None
    if not file.labels.size:
        raise DataError(f"{path}: holds no labels")
    for i, name in enumerate(file.ids or ()):
        if not name:
            raise DataError(f"{file.where(i)}: the id is empty")
    return file


def match(truth: LabelFile, pred: LabelFile) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair the labels of two files: by id when both have ids, by position when neither has.

    Returns
    -------
    truth, pred : int64, shape (n,), in the order of `truth`. -1 is an unknown label in truth and
        noise in pred.

    Raises
    ------
    DataError
        Ids or lengths that do not match, or a prediction with an empty label.
    """
    holes = np.flatnonzero(pred.empty)
    if holes.size:
        raise DataError(
            f"{pred.where(int(holes[0]))}: the predicted label is empty or a missing value ({holes.size} "
            "in all); write -1 for noise"
        )
    if truth.ids is not None and pred.ids is not None:
        return truth.labels, pred.labels[_positions(truth, pred)]
    if truth.ids is not None or pred.ids is not None:
        has, lacks = (truth, pred) if truth.ids is not None else (pred, truth)
        raise DataError(f"{has.path} has ids, {lacks.path} has none; give both files ids, or neither")
    if truth.labels.size != pred.labels.size:
        raise DataError(
            f"{truth.path} has {truth.labels.size} labels, {pred.path} has {pred.labels.size}; "
            "without ids there must be one per image, in the same order"
        )
    return truth.labels, pred.labels


def _positions(truth: LabelFile, pred: LabelFile) -> list[int]:
    """Return the position in `pred` of every id of `truth`."""
    assert truth.ids is not None
    assert pred.ids is not None
    at = {name: i for i, name in enumerate(pred.ids)}
    known = set(truth.ids)
    faults = [
        _fault(file.path, "holds", (name for name, k in Counter(file.ids).items() if k > 1), "more than once")
        for file in (truth, pred)
        if file.ids is not None and len(file.ids) != len(known if file is truth else at)
    ]
    faults.append(
        _fault(pred.path, "lacks", (name for name in truth.ids if name not in at), f"of {truth.path}")
    )
    faults.append(
        _fault(pred.path, "has", (name for name in pred.ids if name not in known), "unknown to truth")
    )
    if any(faults):
        raise DataError("ids do not match: " + "; ".join(filter(None, faults)))
    return [at[name] for name in truth.ids]


def _fault(path: Path, verb: str, names: Iterable[str], end: str) -> str:
    all_names = list(dict.fromkeys(names))
    if not all_names:
        return ""
    shown = ", ".join(map(repr, all_names[:_SHOWN])) + (", ..." if len(all_names) > _SHOWN else "")
    return f"{path} {verb} {plural(len(all_names), 'id')} {end} ({shown})"


def _read_csv(path: Path) -> LabelFile:
    text, decoded = decode(path.read_bytes(), path)
    notes = list(decoded)
    delimiter = separator(text.split("\n", 1)[0].rstrip("\r"), ",", ("id", "label"))
    if delimiter != ",":
        notes.append(separator_note(delimiter))
    rows, lines = _rows(path, text, delimiter)
    if not rows:
        return _coded(path, [])
    header = [cell.lower() for cell in rows[0]]
    if len(header) > 1 or header in (["label"], ["id"]):
        columns = _columns(f"{path}:{lines[0]}", header)
        rows, lines = rows[1:], lines[1:]
    else:
        header, columns = ["label"], {"label": 0}
        if all(len(row) < 2 for row in rows) and header_of_labels(
            [row[0] if row else "" for row in rows], lambda i: f"{path}:{lines[i]}"
        ):
            notes.append(f"the first line, {rows[0][0]!r}, is taken as a header")
            rows, lines = rows[1:], lines[1:]
    if "id" not in columns:  # an empty line is then an empty label
        rows = [row or [""] for row in rows]
    for row, at in zip(rows, lines, strict=False):
        if len(row) != len(header):
            raise DataError(f"{path}:{at}: expected {len(header)} columns, found {len(row)}")
    ids = [row[columns["id"]] for row in rows] if "id" in columns else None
    file = _coded(path, [row[columns["label"]] for row in rows], ids, lines[: len(rows)])
    return replace(file, notes=[*notes, *file.notes])


def _rows(path: Path, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows of a csv file, without empty ones at its end, and the line of each."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            rows.append([cell.strip() for cell in row])
            lines.append(line)
            line = reader.line_num + 1
    except csv.Error as e:
        raise DataError(f"{path}:{line}: not readable as CSV: {e}") from None
    while rows and not any(rows[-1]):
        rows.pop()
    return rows, lines


def _columns(where: str, header: list[str]) -> dict[str, int]:
    """Return the positions of `id` and `label`; a file of one column is a file of labels."""
    if header == ["id"]:
        raise DataError(f"{where}: a column of ids needs a column `label` beside it")
    if len(header) == 1:
        return {"label": 0}
    for name in ("id", "label"):
        if header.count(name) != 1:
            raise DataError(f"{where}: expected one column {name!r} in the header, found {', '.join(header)}")
    return {"id": header.index("id"), "label": header.index("label")}


def _read_npy(path: Path) -> LabelFile:
    try:
        # mapped: a header that promises more than the file holds is refused before any memory is taken
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, TypeError, EOFError, TokenError, SyntaxError, OverflowError, MemoryError) as e:
        raise DataError(f"{path}: not a readable array of numbers or text: {e}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 1:
        found = f"shape {array.shape}" if isinstance(array, np.ndarray) else "an archive of arrays"
        raise DataError(f"{path}: expected one array of shape (n,), found {found}")
    if array.dtype.kind in "iu":
        return _integers(path, np.array(array))
    if array.dtype.kind == "U":
        return _coded(path, [str(x).strip() for x in array])
    if array.dtype.kind == "f":
        return _coded(path, [_text(path, i, x) for i, x in enumerate(array.tolist())])
    raise DataError(f"{path}: labels must be integers or text, not {array.dtype}")


def _read_parquet(path: Path) -> LabelFile:
    import pyarrow as pa

    try:
        return _parquet(path)
    except DataError:
        raise
    except (pa.ArrowException, ValueError, OverflowError, MemoryError) as e:  # also from decoding its text
        raise DataError(f"{path}: not a readable parquet file: {' '.join(str(e).split())}") from None


def _parquet(path: Path) -> LabelFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [name for name in pq.read_schema(path).names if not name.startswith("__index_level_")]
    columns = _columns(str(path), names)
    table = pq.read_table(path, columns=list(dict.fromkeys(names[i] for i in columns.values())))
    ids = None
    if "id" in columns:
        ids = ["" if x is None else str(x).strip() for x in table.column("id").to_pylist()]
    labels = table.column(names[columns["label"]])
    dictionary = pa.types.is_dictionary(labels.type)
    kind = labels.type.value_type if dictionary else labels.type
    if pa.types.is_integer(kind) and not labels.null_count and not dictionary:
        return _integers(path, labels.to_numpy(), ids)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    if not (text or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise DataError(f"{path}: column {names[columns['label']]!r} must hold integers or text, not {kind}")
    return _coded(path, [_text(path, i, x) for i, x in enumerate(labels.to_pylist())], ids)


def _text(path: Path, i: int, value: str | float | None) -> str:
    """Return a label as text; whole floats are integers that shared their column with a missing value."""
    if value is None or value != value:  # NaN is how pandas writes a missing label
        return ""
    if isinstance(value, float):
        if not value.is_integer():
            raise DataError(f"{path}: row {i + 1}: the label {value} is not a whole number")
        value = int(value)
    return str(value).strip()


def _integers(path: Path, labels: NDArray[Any], ids: list[str] | None = None) -> LabelFile:
    if labels.dtype.kind == "u" and labels.size and int(labels.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{path}: labels must fit 64-bit signed integers; the largest is {labels.max()}")
    return LabelFile(path, labels.astype(np.int64), np.zeros(labels.size, bool), ids)


def _coded(
    path: Path, labels: list[str], ids: list[str] | None = None, lines: list[int] | None = None
) -> LabelFile:
    file = LabelFile(path, np.empty(0, np.int64), np.empty(0, bool), ids, lines)
    labels, notes = clean_labels(labels, file.where)
    codes: dict[str, int] = {"": NOISE, "-1": NOISE}
    coded = np.array([codes.setdefault(x, len(codes) - 2) for x in labels], np.int64)
    return replace(file, labels=coded, empty=np.array([not x for x in labels], bool), notes=notes)
