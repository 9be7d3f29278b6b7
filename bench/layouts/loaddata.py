"""Tables that list the image files of each site for CellProfiler (`load_data.csv`), and similar ones."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import DataError
from bench.layouts.platemap import well_name
from bench.layouts.tablefile import TextTable
from bench.layouts.textvalues import separator, whole

CHANNEL_FILE = re.compile(r"r(\d\d)c(\d\d)f(\d\d)p(\d\d)-ch(\d+)sk\d+fk\d+fl\d+\.tiff", re.IGNORECASE)
"""Row, column, field, plane and channel in the names that Harmony (Opera Phenix) gives."""

_HEAD_BYTES = 8 << 20
"""How much of a file is searched: the index of a plate names its channels near the beginning."""
_MAX_PARTS = 12
_DYES = {
    "hoechst 33342": "DNA",
    "alexa 488": "ER",
    "488 long": "RNA",
    "alexa 568": "AGP",
    "alexa 647": "Mito",
    "brightfield": "Brightfield",
    "brightfield high": "HighZBF",
    "brightfield low": "LowZBF",
}
_OTHER_NAMES = {"Brightfield_H": "HighZBF", "Brightfield_L": "LowZBF"}


@dataclass(frozen=True)
class Site:
    """One row of a table: the files of one field of a well."""

    where: str
    """File and line."""
    plate: str
    well: str
    """ "A01"."""
    site: int
    files: Mapping[str, tuple[str, str]]
    """Channel -> (folder, name), with the producer's folder or address as it stands."""


def sites(table: TextTable, problems: list[str]) -> Iterator[Site]:
    """Yield the rows of a table with columns `Metadata_{Plate,Well,Site}` and, by channel, either
    `FileName_Orig*` and `PathName_Orig*` or `URL_Orig*`. Rows that cannot be used are added to `problems`."""
    channels = channel_columns(table.columns)
    columns = table.columns
    problems += table.ragged
    for row in range(len(table)):
        well = well_name(columns["Metadata_Well"][row])
        site = whole(columns["Metadata_Site"][row])
        plate = whole(columns["Metadata_Plate"][row])
        if well is None or not plate or not re.fullmatch(r"[0-9]{1,4}", site):
            problems.append(f"{table.where(row)}: names no plate, well and site")
            continue
        files = {}
        for channel, (name, folder) in channels.items():
            path = columns[name][row] if not folder else f"{columns[folder][row]}/{columns[name][row]}"
            parent, _, file = path.replace("\\", "/").rpartition("/")
            if file:
                files[channel] = (parent, file)
        yield Site(table.where(row), plate, well, int(site), files)


def channel_columns(columns: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return by channel the columns of a file's name and of its folder; of an address the second is ""."""
    found = {}
    for name in columns:
        what, _, channel = name.partition("_Orig")
        known_as = _OTHER_NAMES.get(channel, channel)
        if what == "FileName" and f"PathName_Orig{channel}" in columns:
            found[known_as] = (name, f"PathName_Orig{channel}")
        elif what == "URL":
            found.setdefault(known_as, (name, ""))
    return found


def channels_of_table(path: Path) -> dict[str, int]:
    """Return channel -> number in the file names, from the first row of a table; empty if it has none."""
    lines = _head(path).splitlines(keepends=True)[:2]
    try:
        delimiter = separator("".join(lines[:1]).rstrip("\r\n"), ",")
        rows = list(csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter))
    except csv.Error:
        return {}
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        return {}
    first = dict(zip(rows[0], rows[1], strict=True))
    found = {
        channel: CHANNEL_FILE.search(first[name]) for channel, (name, _) in channel_columns(first).items()
    }
    return {channel: int(match[5]) for channel, match in found.items() if match}


def channels_of_index(path: Path) -> dict[str, int]:
    """Return channel -> number from Harmony's index (`Index.idx.xml`); empty if it has none.

    Searched by regular expression only: no XML entity is expanded or followed.
    """
    found: dict[str, int] = {}
    pattern = r"<ChannelID>(\d{1,3})</ChannelID>\s*(?:<FlimID>\d{1,3}</FlimID>\s*)?<ChannelName>([^<]{1,60})<"
    for number, dye in re.findall(pattern, _head(path)):
        if channel := _DYES.get(dye.strip().lower()):
            found.setdefault(channel, int(number))
    return found


def _head(path: Path) -> str:
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as f:
            return f.read(_HEAD_BYTES).decode("utf-8-sig", "replace")
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise DataError(f"{path}: cannot be read: {e}") from None


def suffixes(folder: str) -> Sequence[str]:
    """Return where a producer's folder or address may be on this machine: its last parts, longest first."""
    parts = [p for p in folder.replace("\\", "/").split("/") if p not in ("", ".", "..")][-_MAX_PARTS:]
    return ["/".join(parts[i:]) for i in range(len(parts) + 1)]
