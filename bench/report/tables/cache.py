"""Printed tables of large suites, cached beside the records until any of those changes.

The cache may be deleted at any time. An entry is valid only while names, sizes and times of change of the
records and the program are the same, and the content of the plan. A file of which none of these changed is
not read again: `bench verify` reads every byte.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import xxhash

from bench.util.durable import Damaged, seal, unseal, write_whole

FEWEST = 500
"""Number of records from which on tables are cached: with fewer, drawing one anew takes no time."""
_PROGRAM = (
    "report/tables",
    "report/tables/formats",
    "records",
    "stages",
    "metrics",
    "metrics/builtin",
    "util",
)
"""Packages whose code decides what a table shows."""
_FOLDER = "kept"


class TableCache:
    """The cache entry of one rendered table.

    Parameters
    ----------
    folder : results of the suite.
    request : all that decides the text besides the results: which table, in which format, how wide.
    """

    def __init__(self, folder: Path, request: Sequence[str]) -> None:
        name = xxhash.xxh3_64_hexdigest(json.dumps(list(request)).encode())
        self._file = folder / _FOLDER / f"{name}.json"
        self._state = _state(folder)

    def read(self) -> str | None:
        """Return the cached text, or None if there is none or anything changed since."""
        if self._state is None:
            return None
        try:
            body = unseal(self._file.read_bytes(), str(self._file))
        except (OSError, Damaged):
            return None
        return str(body["text"]) if body.get("state") == self._state else None

    def write(self, text: str) -> None:
        """Cache a text, unless there are few records or the folder is not writable."""
        if self._state is not None:
            with contextlib.suppress(OSError):
                write_whole(self._file, seal({"state": self._state, "text": text}))


def _state(folder: Path) -> str | None:
    """Return a digest of what a table depends on; None for few records."""
    records = _listed(folder / "records")
    if len(records) < FEWEST:
        return None
    package = Path(__file__).parents[2]
    program = [line for name in _PROGRAM for line in _listed(package / name)]
    digest = xxhash.xxh3_128("\n".join([*records, *program]).encode("utf-8", "surrogatepass"))
    digest.update((folder / "plan.json").read_bytes())
    return str(digest.hexdigest())


def _listed(folder: Path) -> list[str]:
    """List the files of a folder with size, inode and times of change, sorted."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                s = entry.stat()
                found.append(f"{entry.name} {s.st_size} {s.st_ino} {s.st_mtime_ns} {s.st_ctime_ns}")
    except FileNotFoundError:
        return []
    return sorted(found)
