"""Particle tables of FlowCAM runs: the `.lst` of VisualSpreadsheet and its `.csv` export."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from bench.errors import DataError
from bench.layouts.runtables import Findings
from bench.layouts.tablefile import read_table
from bench.layouts.textvalues import decimal_comma, is_missing, separator

MAX_LST_BYTES = 1 << 28
"""Larger `.lst` files (490,000 particles) are refused. Reading takes three times the size in memory."""
MAX_CSV_BYTES = 1 << 26
"""Larger exports (110,000 particles) are refused. Reading takes fifteen times the size in memory."""

_REQUIRED = {
    "id": "Particle ID",
    "image_x": "Image X",
    "image_y": "Image Y",
    "image_w": "Image Width",
    "image_h": "Image Height",
    "collage_file": "Image File",
}
_OPTIONAL = {
    "src_x": "Capture X",
    "src_y": "Capture Y",
    "abd_diameter": "Diameter (ABD)",
    "intensity": "Intensity",
    "image_id": "Original Reference ID",
}
_MAX_LINE = 1 << 16
_MAX_FIELDS = 1000
_LIMIT = 1 << 31
_ROOM = 10


@dataclass(frozen=True)
class Particles:
    """The usable records of one table, in its order. All arrays have the length n."""

    path: Path
    name: str
    """Path of the table below the root, for notes."""
    lines: NDArray[np.int64]
    """Line of each record; the first line of the file is 1."""
    ids: NDArray[np.int64]
    """Particle ids, unique."""
    boxes: NDArray[np.int64]
    """Shape (n, 4): x, y, width, height in the collage, in px; below 2**31, sides at least 1."""
    files: Sequence[str]
    """Names of the collages."""
    file: NDArray[np.int64]
    """Position of each record's collage in `files`."""
    camera: NDArray[np.int64] | None
    """Shape (n, 2): x, y of the box in the frame of the camera, in px; None if the table lacks it."""
    image_ids: Sequence[str] | None
    """GUID of each image, upper case; None if the table lacks it."""
    raw_area: NDArray[np.float64]
    """Number of pixels of the mask; nan where unknown."""
    diameter: NDArray[np.float64]
    """Area-based diameter in µm; nan where unknown."""
    intensity: NDArray[np.float64]
    """Mean grey value of the particle, 0 to 255; nan where unknown."""

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, chosen: NDArray[np.bool_]) -> list[str]:
        """Return file and line of the first few chosen records, for notes."""
        return [f"{self.name}:{line}" for line in self.lines[chosen][:_ROOM].tolist()]

    def only(self, chosen: NDArray[np.bool_]) -> Particles:
        """Return the chosen records."""
        return Particles(
            self.path,
            self.name,
            self.lines[chosen],
            self.ids[chosen],
            self.boxes[chosen],
            self.files,
            self.file[chosen],
            None if self.camera is None else self.camera[chosen],
            None if self.image_ids is None else np.asarray(self.image_ids, object)[chosen].tolist(),
            self.raw_area[chosen],
            self.diameter[chosen],
            self.intensity[chosen],
        )


def read_particles(path: Path, name: str, findings: Findings) -> Particles:
    """Read the table of one run, by the names of its fields: a `.csv` export, else an `.lst`.

    Lines end in LF or CRLF. An `.lst` has version 017 or later; an export has the column names of
    VisualSpreadsheet 4, or of 3, which are those of the `.lst`.

    Parameters
    ----------
    name : what notes call the file.
    findings : receives the records that cannot be used: fields missing or too many, no number where one
        is needed, values out of range, an id that was there before.

    Raises
    ------
    DataError : the file cannot be read, is too large, no such table, of another version, or lacks a field.
    """
    read = _read_csv if path.suffix.lower() == ".csv" else _read_lst
    lines, columns = read(path, name, findings)
    good = np.ones(len(lines), np.bool_)
    numbers: dict[str, NDArray[np.int64]] = {}
    for what in ("id", "image_x", "image_y", "image_w", "image_h"):
        numbers[what], ok = _integers(columns[what], 1 if what in ("image_w", "image_h") else 0)
        bad = np.flatnonzero(good & ~ok)
        says = (f"{name}:{lines[i]}: {what} is {_short(columns[what][i])}" for i in bad.tolist())
        findings.add("records without a usable number", says, bad.size)
        good &= ok
    repeats = np.flatnonzero(good)
    repeats = repeats[pd.Series(numbers["id"][repeats]).duplicated().to_numpy()]
    says = (f"{name}:{lines[i]}: id {numbers['id'][i]} was there before" for i in repeats.tolist())
    findings.add("records whose id repeats", says, repeats.size)
    good[repeats] = False
    files = columns["collage_file"].dictionary_encode()
    camera = [_integers(columns[c], -_LIMIT)[0] for c in ("src_x", "src_y") if c in columns]
    image_ids = columns.get("image_id")
    reals = _reals(columns, name, len(lines), findings)
    return Particles(
        path,
        name,
        lines,
        numbers["id"],
        np.stack([numbers[c] for c in ("image_x", "image_y", "image_w", "image_h")], axis=1),
        files.dictionary.to_pylist(),
        files.indices.to_numpy().astype(np.int64),
        np.stack(camera, axis=1) if len(camera) == 2 else None,
        None if image_ids is None else pc.utf8_upper(image_ids).to_pylist(),
        reals["raw_area"],
        reals["abd_diameter"],
        reals["intensity"],
    ).only(good)


def is_export(path: Path) -> bool:
    """Say whether a `.csv` file is an export of particles, by its first line.

    Raises `DataError` for one of VisualSpreadsheet 5 or later, which is not supported.
    """
    try:
        with path.open("rb") as f:
            header = f.readline(_MAX_LINE).decode("latin-1").lstrip("\xef\xbb\xbf")
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror}") from None
    names = {name.strip().strip('"') for name in header.split(separator(header.rstrip("\r\n"), ","))}
    if any(all(name in names for name in kind) for kind in (_REQUIRED, _REQUIRED.values())):
        return True
    if names & {"Capture ID", "UUID"} and any(name.startswith("Area") for name in names):
        raise DataError(
            f"{path}: looks like an export of VisualSpreadsheet 5 or later, which is not supported; "
            "give the run's .lst, or an export with the columns 'Particle ID', 'Image File', 'Image X'..."
        )
    return False


def stuck(particles: Particles) -> NDArray[np.bool_]:
    """Find particles that stick to the flow cell: they are imaged repeatedly at the same position.

    A particle counts if another one of its run has each edge of its box within 2 px in the frame of
    the camera and a mean grey value within 5 of 255. Both are measured anew in every frame, so they
    vary. In a run of 10,000 about one particle in 100 counts by chance.

    Returns
    -------
    Shape (n,); all False if the table lacks the positions or the grey values.
    """
    from scipy.spatial import cKDTree

    found = np.zeros(len(particles), np.bool_)
    known = np.isfinite(particles.intensity)
    if particles.camera is None or known.sum() < 2:
        return found
    start, size = particles.camera[known], particles.boxes[known, 2:]
    grey = np.clip(particles.intensity[known], 0, 65535) * (2 / 5)  # 5 grey values count like 2 px
    points = np.column_stack([start, start + size, grey])
    # Equal points are merged first: a tree of many equal points is slow to search.
    points, back, times = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    near, _ = cKDTree(points).query(points, k=2, p=np.inf, distance_upper_bound=2 + 1e-6)
    alone = np.isinf(np.asarray(near)[:, 1]) & (times == 1)
    found[known] = ~alone[back.ravel()]
    return found


def _read_lst(path: Path, name: str, findings: Findings) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Return the line of each record that has all fields, and the columns in use, as text."""
    data = _bytes(path).removeprefix(b"\xef\xbb\xbf")
    if data.startswith(b"version https://git-lfs"):
        raise DataError(f"{path}: is a Git LFS pointer, not the table itself; run `git lfs pull`")
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    plain = data.isascii() and b"\0" not in data and data.count(b"\r") == data.count(b"\r\n")
    del data
    names = _fields(path, lines)
    missing = [what for what in _REQUIRED if what not in names]
    if missing:
        raise DataError(f"{path}: has no field {missing[0]!r}; it has {', '.join(map(repr, names[:10]))}...")
    windows = not plain and _is_windows(lines)
    if windows:
        findings.add_notes(name, ["the text is read as Windows-1252, for it is not UTF-8"])
    kept: list[int] = []
    for i in range(2 + len(names), len(lines)):
        line = lines[i] = _utf8(lines[i]) if windows else lines[i]
        pipes = line.count(b"|")
        if pipes == len(names) - 1 and len(line) < _MAX_LINE and (plain or _is_text(line)):
            kept.append(i)
        elif line.strip():
            why = f"has {pipes + 1} fields of {len(names)}"
            if pipes == len(names) - 1:
                why = "holds bytes that are no UTF-8 text, or too many"
            findings.add("records with missing or damaged fields", [f"{name}:{i + 1}: {why}"])
    wanted = [what for what in (*_REQUIRED, *_OPTIONAL, "raw_area") if what in names]
    text = b"\n".join([lines[i] for i in kept])
    del lines
    return np.asarray(kept, np.int64) + 1, _columns(text, names, wanted, len(kept))


def _fields(path: Path, lines: Sequence[bytes]) -> list[str]:
    """Return the names of the fields from the head of an `.lst`."""
    if not re.fullmatch(rb"\d{3}\s*", lines[0]):
        raise DataError(f"{path}:1: is not a .lst of VisualSpreadsheet: line 1 is not a version such as 017")
    if int(lines[0]) < 17:
        raise DataError(
            f"{path}:1: has version {lines[0].decode().strip()}, which does not name its fields; version 017 "
            "or later is read: open the run in VisualSpreadsheet 4 and save it, or export it as .csv"
        )
    declared = re.fullmatch(rb"num-fields\|(\d{1,9})\s*", lines[1] if len(lines) > 1 else b"")
    if declared is None or not 0 < int(declared[1]) <= _MAX_FIELDS:
        raise DataError(f"{path}:2: is not `num-fields|<number>` with a number from 1 to {_MAX_FIELDS}")
    names: list[str] = []
    for number, line in enumerate(lines[2 : 2 + int(declared[1])], 3):
        parts = re.fullmatch(rb"(\w+)\|\w+\s*", line)
        if parts is None or parts[1].decode() in names:
            raise DataError(f"{path}:{number}: is not the `<name>|<type>` of a field, or repeats one")
        names.append(parts[1].decode())
    if len(names) < int(declared[1]):
        raise DataError(f"{path}: is cut off: {len(names)} of {int(declared[1])} fields are named")
    return names


def _columns(text: bytes, names: Sequence[str], wanted: Sequence[str], n: int) -> dict[str, Any]:
    if n == 0:
        return {what: pa.array([], pa.string()) for what in wanted}
    table = pyarrow.csv.read_csv(
        pa.BufferReader(text),
        pyarrow.csv.ReadOptions(use_threads=False, column_names=list(names)),
        pyarrow.csv.ParseOptions(delimiter="|", quote_char=False, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            include_columns=list(wanted),
            column_types=dict.fromkeys(wanted, pa.string()),
            strings_can_be_null=False,
        ),
    )
    assert len(table) == n
    return {what: table[what].combine_chunks() for what in wanted}


def _read_csv(path: Path, name: str, findings: Findings) -> tuple[NDArray[np.int64], dict[str, Any]]:
    table = read_table(path, max_bytes=MAX_CSV_BYTES)
    findings.add_notes(name, table.notes)
    findings.add(
        "records with missing or damaged fields",
        (name + line.removeprefix(str(path)) for line in table.ragged),
        len(table.ragged),
    )
    modern = _REQUIRED["id"] in table.columns
    column = {what: new if modern else what for what, new in (_REQUIRED | _OPTIONAL).items()}
    missing = [column[what] for what in _REQUIRED if column[what] not in table.columns]
    if missing:
        raise DataError(
            f"{path}:1: has no column {missing[0]!r}; is it an export of VisualSpreadsheet 3 or 4?"
        )
    columns = {w: pa.array(table.columns[c], pa.string()) for w, c in column.items() if c in table.columns}
    return np.asarray(table.lines, np.int64), columns


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():  # opening a FIFO would block
            raise DataError(f"{path}: is not a file")
        with path.open("rb") as f:
            data = f.read(MAX_LST_BYTES + 1)
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror}") from None
    if len(data) > MAX_LST_BYTES:
        raise DataError(f"{path}: is larger than {MAX_LST_BYTES} bytes; is this the right file?")
    if not data.strip():
        raise DataError(f"{path}: is empty")
    return data


def _is_windows(lines: Sequence[bytes]) -> bool:
    """Say whether the lines that are not ASCII are Windows-1252: none of them is UTF-8."""
    odd = [line for line in lines if not line.isascii()]
    return not any(map(_is_text, odd)) and any(_utf8(line) != line for line in odd)


def _utf8(line: bytes) -> bytes:
    """Return a line of Windows-1252 as UTF-8; as it is if it is none."""
    try:
        return line if line.isascii() else line.decode("cp1252").encode()
    except UnicodeDecodeError:
        return line


def _is_text(line: bytes) -> bool:
    try:
        return b"\0" not in line and b"\r" not in line and bool(line.decode())
    except UnicodeDecodeError:
        return False


def _integers(column: Any, least: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return numbers, and which are valid: from `least` to below 2**31. Invalid ones are 0."""
    ok = np.ones(len(column), np.bool_)
    try:
        values = np.asarray(pc.cast(column, pa.int64()).to_numpy())
    except pa.ArrowInvalid:
        column = pc.replace_substring_regex(pc.utf8_trim_whitespace(column), r"^(-?[0-9]+)[.,]0*$", r"\1")
        clean = pc.match_substring_regex(column, r"^-?[0-9]{1,10}$")
        ok = clean.to_numpy(zero_copy_only=False).astype(np.bool_)
        values = np.asarray(pc.cast(pc.if_else(clean, column, "0"), pa.int64()).to_numpy())
    ok &= (values >= least) & (values < _LIMIT)
    return np.where(ok, values, 0), ok


def _reals(columns: dict[str, Any], name: str, n: int, findings: Findings) -> dict[str, NDArray[np.float64]]:
    """Return the measured values by field, nan where one is unknown; their decimals may follow a comma."""
    found = {what: np.full(n, np.nan) for what in ("raw_area", "abd_diameter", "intensity")}
    texts: dict[str, list[str]] = {}
    for what in found.keys() & columns.keys():
        try:
            found[what] = np.array(pc.cast(columns[what], pa.float64()).to_numpy())
        except pa.ArrowInvalid:
            texts[what] = [text.strip() for text in columns[what].to_pylist()]
    try:
        comma = decimal_comma(texts.values())
        why = "is no number"
    except ValueError as e:
        comma, why = False, f"is no number: {e}; write decimals with a point"
    if comma:
        findings.add("tables whose decimals follow a comma", [name])
    for what, column in sorted(texts.items()):
        values = [
            text.replace(",", ".") if comma and text.count(",") == 1 and "." not in text else text
            for text in column
        ]
        found[what] = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64)
        bad = np.flatnonzero(
            np.isnan(found[what]) & ~np.array([is_missing(text) for text in column], np.bool_)
        )
        says = (f"{name}: {what} {_shortened(column[i])} {why}" for i in bad.tolist())
        findings.add("measured values that are no numbers, taken as unknown", says, bad.size)
    return found


def _short(value: Any) -> str:
    return _shortened(value.as_py())


def _shortened(value: str) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
