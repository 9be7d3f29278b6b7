"""The folders of the Cell Painting Gallery: images by plate, plate maps, lists of files."""

from __future__ import annotations

import fnmatch
import functools
import glob
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import DataError
from bench.interfaces import Json
from bench.layouts.channelset import Files, FolderTree, examples
from bench.layouts.loaddata import CHANNEL_FILE, channels_of_index, channels_of_table, sites, suffixes
from bench.layouts.platemap import PlateMap, Treatment, join
from bench.layouts.tablefile import TextTable, read_table

PLACES = tuple(f"{a}{b}" for a in ("", "cpjump1/") for b in ("", "cpg0000-jump-pilot/source_4/", "source_4/"))
"""Where below a root a source of the gallery may begin."""
NUMBERS = {"Mito": 1, "AGP": 2, "RNA": 3, "ER": 4, "DNA": 5, "HighZBF": 6, "LowZBF": 7, "Brightfield": 8}
"""Channels as the pilot numbers them; other exports of the same microscope do it otherwise."""


@dataclass(frozen=True)
class FieldOfView:
    """One field of view of a well."""

    plate: str
    well: str
    """As "A01"."""
    site: int
    files: Files | None
    """None if a channel is missing."""

    @property
    def row(self) -> int:
        """Row of the well; 1 is A."""
        letters = self.well[:-2]
        return ord(letters[-1]) - 64 + 26 * (len(letters) - 1)

    @property
    def id(self) -> str:
        """As "BR00117006/r01c01f01"."""
        return f"{self.plate}/r{self.row:02d}c{self.well[-2:]}f{self.site:02d}"


@dataclass
class Reader:
    """Reads tables below a root, and records which ones and what was odd about them."""

    tree: FolderTree
    tables: list[Path] = field(default_factory=list)
    findings: dict[str, dict[str, None]] = field(default_factory=dict)

    def note(self, what: str, *which: str) -> None:
        """Record findings of a kind, each once."""
        self.findings.setdefault(what, {}).update(dict.fromkeys(which))

    def read(self, path: str, required: Sequence[str]) -> TextTable:
        """Read a table relative to the root, by commas or, if its name does not say csv, by tabs."""
        delimiter = "," if ".csv" in path else "\t"
        table = read_table(self.tree.root / path, required, delimiter=delimiter)
        self.tables.append(table.path)
        self.note("tables that were not plain", *(f"{table.path}: {note}" for note in table.notes))
        return table

    def notes(self) -> dict[str, Json]:
        """Return the findings for `ImageSet.notes`."""
        return {what: examples(list(which)) for what, which in sorted(self.findings.items()) if which}


class PlateMaps:
    """The plate maps of a batch, each read on demand, and the metadata of its plates."""

    def __init__(self, reading: Reader, batch: str) -> None:
        self._reading = reading
        folders = [f"{a}{b}" for a in PLACES for b in ("workspace/metadata/", "metadata/", "")]
        files = reading.tree.files
        self._maps = [f"{f}platemaps/{batch}/" for f in folders]
        self._reagents = [f"{f}external_metadata/" for f in folders]
        barcodes = next((f for f in self._maps if "barcode_platemap.csv" in files(f)), None)
        if barcodes is None:
            raise DataError(
                f"{reading.tree.root}: no platemaps/{batch}/barcode_platemap.csv in it, its metadata/ or its "
                f"workspace/metadata/, nor below cpg0000-jump-pilot/source_4/; get the part metadata"
            )
        table = reading.read(f"{barcodes}barcode_platemap.csv", ("Assay_Plate_Barcode", "Plate_Map_Name"))
        columns = table.columns
        self.names = dict(zip(columns["Assay_Plate_Barcode"], columns["Plate_Map_Name"], strict=True))
        self._read: dict[str, PlateMap] = {}
        self.facts: dict[str, dict[str, str]] = {}
        for path in (f"{f}{n}" for f in folders for n in sorted(files(f)) if _is_experiment(n)):
            table = reading.read(path, ("Assay_Plate_Barcode",))
            for row, plate in enumerate(table.columns["Assay_Plate_Barcode"]):
                facts = {name: values[row] for name, values in table.columns.items()}
                if facts.get("Batch", batch) == batch:
                    self.facts.setdefault(plate, facts)

    def treatment(self, plate: str, well: str) -> tuple[bool, Treatment | None]:
        """Return whether the well is in the plate's map, and its treatment; None if it is empty."""
        if plate not in self.names:
            what, which = "plates without a plate map, label unknown", plate
        elif well not in self.read(self.names[plate]).treatments:
            what, which = "wells that are not in the plate map, label unknown", f"{plate}/{well}"
        else:
            return True, self.read(self.names[plate]).treatments[well]
        self._reading.note(what, which)
        return False, None

    def read(self, name: str) -> PlateMap:
        """Read a plate map by its name, and join the metadata of its reagents."""
        if name not in self._read:
            maps = [f"{f}platemap/" for f in self._maps]
            plate_map = self._reading.read(self._path(f"{glob.escape(name)}.txt", maps), _MAP)
            pattern = f"{glob.escape(name.removesuffix('_platemap'))}_metadata*.tsv"
            reagents = self._reading.read(self._path(pattern, self._reagents), _REAGENTS)
            self._read[name] = join(plate_map, reagents)
            problems = self._read[name].problems
            self._reading.note("rows of metadata left out, or that miss facts", *problems)
        return self._read[name]

    def _path(self, pattern: str, folders: Sequence[str]) -> str:
        for folder in folders:
            # Of reagents' tables, the one that also names a target for each compound sorts last.
            if names := fnmatch.filter(sorted(self._reading.tree.files(folder)), pattern):
                return f"{folder}{names[-1]}"
        raise DataError(f"{self._reading.tree.root}: no {pattern} in {folders[0]}; get the part metadata")


_MAP = ("well_position", "broad_sample")
_REAGENTS = ("broad_sample", "pert_type", "control_type")


def _is_experiment(name: str) -> bool:
    return name.startswith("experiment-metadata") and name.endswith(".tsv")


def plate_folders(reading: Reader, batch: str) -> dict[str, str]:
    """Return the folder of images by plate, relative to the root."""
    tree, folders = reading.tree, dict[str, str]()
    levels = (f"images/{batch}/images/", f"{batch}/images/", "images/", "")
    for place in (f"{a}{b}" for a in PLACES for b in levels):
        for name in tree.folders(place):
            plate, is_plate, _ = name.partition("__")
            if plate and is_plate:
                folder = f"{place}{name}"
                folder += "/Images" if "Images" in tree.folders(folder) else ""
                if folders.setdefault(plate, folder) != folder:
                    reading.note("further folders of a plate, not read", folder)
    return folders


def named(
    reading: Reader, folders: Mapping[str, str], tables: Sequence[str], channels: Sequence[str]
) -> Iterator[FieldOfView]:
    """Yield the fields found by file name."""
    for plate, folder in sorted(folders.items()):
        numbers = _numbers(reading, plate, folder, tables)
        missing = [c for c in channels if c not in numbers]
        if missing:
            raise DataError(
                f"{reading.tree.root / folder}: plate {plate} has no channel {missing[0]}; "
                f"it has {', '.join(sorted(numbers))}"
            )
        parts: dict[tuple[int, int, int], dict[int, str]] = {}
        for name in sorted(reading.tree.files(folder)):
            match = CHANNEL_FILE.fullmatch(name)
            if match and match[4] == "01" and 1 <= int(match[1]) <= 26:
                at = (int(match[1]), int(match[2]), int(match[3]))
                parts.setdefault(at, {}).setdefault(int(match[5]), sys.intern(name))
            elif name.lower().endswith((".tif", ".tiff")):
                reading.note("TIFFs of other names or planes", f"{folder}/{name}")
        for (row, column, site), by_number in sorted(parts.items()):
            names = [by_number.get(numbers[c]) for c in channels]
            whole = tuple(n for n in names if n is not None)
            files = (reading.tree.root / folder, whole) if len(whole) == len(names) else None
            yield FieldOfView(plate, f"{chr(64 + row)}{column:02d}", site, files)


def _numbers(reading: Reader, plate: str, folder: str, tables: Sequence[str]) -> Mapping[str, int]:
    """Return the number of each channel on a plate, from the first source that has it."""
    index = [f"{f}/Index.idx.xml" for f in (folder, folder.rpartition("/")[0])]
    sources = [t for t in tables if plate in t]
    sources += [path for path in index if "Index.idx.xml" in reading.tree.files(path.rpartition("/")[0])]
    for source in sources:
        path = reading.tree.root / source
        if numbers := channels_of_index(path) if source in index else channels_of_table(path):
            reading.tables.append(path)
            return numbers
    reading.note("plates whose channels are numbered as documented, for want of load_data or an index", plate)
    return NUMBERS


def load_data_tables(tree: FolderTree, batch: str) -> list[str]:
    """Return the tables that list images, one of each folder of a plate."""
    found: list[str] = []
    for place in (f"{a}{b}load_data_csv/{batch}" for a in PLACES for b in ("workspace/", "")):
        for plate in tree.folders(place):
            names = [n for n in sorted(tree.files(f"{place}/{plate}")) if _LISTING.fullmatch(n)]
            found += [f"{place}/{plate}/{name}" for name in names[:1]]
    for place in (f"{a}load_data" for a in PLACES):
        found += [f"{place}/{n}" for n in sorted(tree.files(place)) if n.endswith((".csv", ".csv.gz"))]
    return found


_MAX_FOLDERS = 4096
_LISTING = re.compile(r"load_data(_with_illum)?\.csv(\.gz)?")


def listed(
    reading: Reader, folders: Mapping[str, str], tables: Sequence[str], channels: Sequence[str]
) -> Iterator[FieldOfView]:
    """Yield the fields that tables list, their files looked up below the root."""
    left_out: list[str] = []
    required = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
    rows = [s for path in tables for s in sites(reading.read(path, required), left_out)]
    alone = len({s.plate for s in rows}) == 1
    if (n := len({folder for s in rows for folder, _ in s.files.values()})) > _MAX_FOLDERS:
        raise DataError(
            f"{reading.tree.root / tables[0]}: lists images in {n} folders; one by plate is usual"
        )
    seen: set[str] = set()
    for s in rows:
        paths = [_located(reading.tree, *s.files.get(c, ("", "")), s.plate, folders, alone) for c in channels]
        whole = tuple(p for p in paths if p is not None)
        files = (reading.tree.root, whole) if len(whole) == len(paths) else None
        f = FieldOfView(s.plate, s.well, s.site, files)
        if f.id in seen:
            left_out.append(f"{s.where}: repeats {f.id}")
        else:
            seen.add(f.id)
            yield f
    reading.note("rows left out", *left_out)


def _located(
    tree: FolderTree, folder: str, name: str, plate: str, folders: Mapping[str, str], alone: bool
) -> str | None:
    """Return where a file lies below the root, of all that its producer may have called its folder.

    A folder that does not name the plate is believed only if there is no other plate: names of files repeat.
    """
    for candidate in _candidates(folder):
        if (alone or plate in candidate) and name in tree.files(candidate):
            return f"{candidate}/{name}" if candidate else name
    folder = folders.get(plate, "")
    return f"{folder}/{name}" if folder and name in tree.files(folder) else None


@functools.lru_cache(maxsize=4096)
def _candidates(folder: str) -> tuple[str, ...]:
    return tuple(f"{place}{suffix}".rstrip("/") for suffix in suffixes(folder) for place in PLACES)
