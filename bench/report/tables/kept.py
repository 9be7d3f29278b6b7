"""Printed tables of large suites, kept beside the records until any of those changes.

What is kept is a copy that may be deleted at any time. It counts only while
plan, records and store folder names, sizes and times of change are the same,
and the program too; a file of which nothing of that changed is not read again:
`bench verify` is what reads every byte.
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
"""Records from which on a table is kept: below, drawing it anew takes no time to speak of."""
_PROGRAM = ("report/tables", "records", "stages", "metrics", "metrics/builtin", "util")
"""Packages whose code decides what a table shows."""


class Kept:
    """The kept text of one wish for a table: which one, in which format, how wide..."""

    def __init__(self, folder: Path, wish: Sequence[str]) -> None:
        self._file = folder / "kept" / f"{xxhash.xxh3_64_hexdigest(json.dumps(list(wish)).encode())}.json"
        self._state = _state(folder)

    def read(self) -> str | None:
        """Return the text if nothing changed since it was kept."""
        if self._state is None:
            return None
        try:
            body = unseal(self._file.read_bytes(), str(self._file))
        except (OSError, Damaged):
            return None
        return str(body["text"]) if body.get("state") == self._state else None

    def write(self, text: str) -> None:
        """Keep a text, unless there are few records or the folder may not be written to."""
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
