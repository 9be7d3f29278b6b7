"""What parquet files say about the images in them: labels, names, and where they lie."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.errors import DataError
from bench.layouts.textvalues import clean_labels

_TEXT_BYTES = 64 << 20  # of the labels and paths of _TEXT_ROWS rows
_TEXT_ROWS = 1024
_IMAGE = ("image", "image_bytes", "img", "bytes")
_LABEL = ("label", "labels", "class")
_SHARD = re.compile(r"(.+)-\d+-of-\d+")
DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
"""What reading a damaged file may raise."""


@dataclass(frozen=True)
class RowGroup:
    """One row group of one file."""

    path: Path
    number: int
    first: int
    """Index of its first row in the file."""
    rows: int
    column: str
    """Name of the column whose values are the bytes of the images, with a dot inside a structure."""
    named_classes: bool = False
    """Whether the file's metadata names the classes; labels are then never words for a missing value."""


@dataclass(frozen=True)
class ParquetIndex:
    """What parquet files say about their images; no image was read. One entry per row, files in order."""

    groups: Sequence[RowGroup]
    group: NDArray[np.int64]
    """Position in `groups` of each row."""
    ids: Sequence[str]
    labels: Sequence[str | None]
    splits: Sequence[str | None]
    """`train` for a row of `train-00000-of-00002.parquet`; None for other names of files."""
    has_paths: bool
    """Whether ids are the stems of the paths stored beside the images, not `<file stem>:<row>`."""
    notes: Sequence[str] = ()
    """Which labels were taken for what, by name of the file."""


def read_index(files: Sequence[Path]) -> ParquetIndex:
    """Read labels and names from parquet files.

    The images are bytes (JPEG, PNG...) in a column `image`, `image_bytes`, `img` or `bytes`, or in the
    field `bytes` of such a column, beside a field `path`. Labels are text in `label`, `labels` or `class`, or
    numbers, whose names the file's `huggingface` metadata gives (if not, they are their own names); -1,
    none, an empty text or one such as `nan` (see `textvalues.MISSING`) means no label. An id is the stem of
    `path` if every row has one and none repeats, else `<file stem>:<row>`; rows count from 0.

    Raises
    ------
    DataError : a file that is damaged, has other columns, or a label that is not among its names.
    """
    groups: list[RowGroup] = []
    of_group: list[int] = []
    stems: list[str] = []
    labels: list[str | None] = []
    splits: list[str | None] = []
    notes: list[str] = []
    for path in files:
        shard = _SHARD.fullmatch(path.stem)
        try:
            first = len(labels)
            for group, of_rows, names in _groups(path):
                of_group += [len(groups)] * group.rows
                stems += [PurePosixPath((name or "").replace("\\", "/")).stem for name in names]
                labels += of_rows
                splits += [shard.group(1) if shard else None] * group.rows
                groups.append(group)
            if groups and groups[-1].path == path and not groups[-1].named_classes:
                labels[first:], taken = _cleaned(path, labels[first:])
                notes += taken
        except DataError:
            raise
        except DAMAGE as e:
            raise DataError(f"{path}: {reason(path, e)}") from None
    has_paths = all(stems) and len(set(stems)) == len(stems)
    fallback = [f"{g.path.stem}:{row}" for g in groups for row in range(g.first, g.first + g.rows)]
    return ParquetIndex(
        groups=groups,
        group=np.array(of_group, np.int64),
        ids=stems if has_paths else _unique(fallback),
        labels=labels,
        splits=splits,
        has_paths=has_paths,
        notes=notes,
    )


def open_file(path: Path) -> pq.ParquetFile:
    """Open a parquet file. Raises `DataError` or one of `DAMAGE`."""
    if not path.is_file():  # opening a FIFO would block
        raise DataError(f"{path}: there is no such file")
    return pq.ParquetFile(path, pre_buffer=False)


def _groups(path: Path) -> Iterator[tuple[RowGroup, list[str | None], list[str | None]]]:
    """Yield the row groups of a file, with the label and the path of every row."""
    with open_file(path) as f:
        schema = f.schema_arrow
        image, named = _image_column(path, schema)
        label, classes = _label_column(path, schema)
        columns = [label, *([named] if named else [])]
        first = 0
        for number in range(f.metadata.num_row_groups):
            names: list[str | None] = []
            labels: list[str | None] = []
            for batch in f.iter_batches(_TEXT_ROWS, row_groups=[number], columns=columns, use_threads=False):
                if batch.nbytes > _TEXT_BYTES:
                    raise DataError(f"{path}: row group {number} has labels or paths too long for names")
                values = batch.column(label).to_pylist()
                at = first + len(labels)
                labels += [_label(path, at + i, value, classes) for i, value in enumerate(values)]
                names += _paths(batch, named)
            if len(labels) != f.metadata.row_group(number).num_rows:
                raise DataError(f"{path}: row group {number} is damaged: it holds {len(labels)} labels only")
            yield RowGroup(path, number, first, len(labels), image, classes is not None), labels, names
            first += len(labels)


def _paths(batch: pa.RecordBatch, column: str) -> Sequence[str | None]:
    if not column:
        return [None] * batch.num_rows
    outer, inner = column.split(".")
    found: list[str | None] = pc.struct_field(batch.column(outer), inner).to_pylist()
    return found


def _image_column(path: Path, schema: pa.Schema) -> tuple[str, str]:
    """Return the names of the column with the images' bytes and of that with their paths ("" if none)."""
    name = _column(path, schema, _IMAGE)
    kind = schema.field(name).type
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        if _is_bytes(fields.get("bytes")):
            return f"{name}.bytes", f"{name}.path" if _is_text(fields.get("path")) else ""
    elif _is_bytes(kind):
        return name, ""
    raise DataError(f"{path}: the column {name!r} is of type {kind}; expected the bytes of image files")


def _label_column(path: Path, schema: pa.Schema) -> tuple[str, Sequence[str] | None]:
    """Return the name of the column with the labels, and the names of numbered classes, if given."""
    name = _column(path, schema, _LABEL)
    kind = schema.field(name).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_text(kind)):
        raise DataError(f"{path}: the column {name!r} is of type {kind}; expected text or whole numbers")
    metadata = (schema.metadata or {}).get(b"huggingface")
    if metadata is None or not pa.types.is_integer(kind):
        return name, None
    found: Any = json.loads(metadata)
    for key in ("info", "features", name, "names"):
        found = found.get(key) if isinstance(found, dict) else None
    if found is not None and not (isinstance(found, list) and all(isinstance(x, str) for x in found)):
        raise DataError(f"{path}: the names of the classes in its metadata are not a list of names")
    return name, found


def _column(path: Path, schema: pa.Schema, names: Sequence[str]) -> str:
    for name in names:
        if schema.names.count(name) == 1:
            return name
    raise DataError(
        f"{path}: has no column {' or '.join(map(repr, names))}; "
        f"it has {', '.join(map(repr, schema.names[:20]))}{' and more' if len(schema.names) > 20 else ''}"
    )


def _is_bytes(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: pa.DataType | None) -> bool:
    if kind is not None and pa.types.is_dictionary(kind):
        kind = kind.value_type
    return kind is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _label(path: Path, row: int, value: float | str | None, classes: Sequence[str] | None) -> str | None:
    if value is None or value in ("", -1) or value != value:
        return None
    if isinstance(value, float):  # whole numbers that shared their column with a missing value
        if not value.is_integer():
            raise DataError(f"{path}: row {row} has the label {value}, which is not a whole number")
        value = int(value)
    if classes is None:
        return str(value)
    if not 0 <= int(value) < len(classes):
        raise DataError(f"{path}: row {row} has the label {value}; the file names {len(classes)} classes")
    return classes[int(value)]


def _cleaned(path: Path, labels: Sequence[str | None]) -> tuple[list[str | None], list[str]]:
    found, notes = clean_labels([label or "" for label in labels], lambda row: f"{path}: row {row}")
    return [label or None for label in found], [f"{path.name}: {note}" for note in notes]


def reason(path: Path, error: BaseException) -> str:
    """Say why a file could not be read."""
    with contextlib.suppress(OSError), path.open("rb") as f:
        if f.read(23) == b"version https://git-lfs":
            return "is a Git LFS pointer, not the file itself; run `git lfs pull`"
    return f"is not a parquet file, or is damaged: {' '.join(str(error).split())[:300]}"


def _unique(ids: Sequence[str]) -> Sequence[str]:
    repeated = [name for name, n in Counter(ids).items() if n > 1]
    if repeated:
        raise DataError(f"two files hold the row {repeated[0]!r}; rename one of them")
    return ids
