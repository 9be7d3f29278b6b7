"""Content hashes of data files, cached so that unchanged files are read once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import xxhash

from bench.adapters.keys import DIGEST_BYTES, digest
from bench.errors import DataError

_SETTLED_NS = 2_000_000_000
"""A file modified this recently could change again within the timestamp resolution: do not cache it."""


class Fingerprints:
    """Caches the content hash of files by path, size, times and inode.

    The cache may be deleted at any time; rows that fail their checksum are ignored.
    """

    def __init__(self, database: Path, *, read_only: bool = False) -> None:
        self._database, self._read_only = database, read_only
        self._hashed: dict[str, str] = {}

    def content(self, path: Path) -> str:
        """Return the hash of one file's content. Raises `DataError` if it cannot be read."""
        key = str(path)
        if key not in self._hashed:
            self._hashed[key] = self._hashes([path])[0]
        return self._hashed[key]

    def of(self, root: Path, files: Sequence[Path]) -> str:
        """Return one hash over the names (relative to `root`) and contents of `files`, in any order."""
        outside = next((f for f in files if not f.is_relative_to(root)), None)
        if outside is not None:
            raise DataError(f"{outside} is not below {root}; a dataset lists files of its own folder only")
        pairs = zip((f.relative_to(root).as_posix() for f in files), self._hashes(files), strict=True)
        return digest(sorted([name, content] for name, content in pairs))

    def _hashes(self, files: Sequence[Path]) -> list[str]:
        names, stamps = [_name(f) for f in files], [_stamp(f) for f in files]
        now = time.time_ns()
        with self._open() as db:
            known = _lookup(db, names)
            result = [known.get(name, {}).get(s, "") for name, s in zip(names, stamps, strict=True)]
            todo = [i for i, h in enumerate(result) if not h]
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                for i, value in zip(todo, pool.map(_hash, [files[i] for i in todo]), strict=True):
                    result[i] = value
            settled = [i for i in todo if now - _changed_ns(stamps[i]) > _SETTLED_NS]
            if not self._read_only:
                _save(db, [(names[i], stamps[i], result[i]) for i in settled])
        return result

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            db = self._connect()
        except sqlite3.OperationalError:  # locked for long, no room: it says nothing of the file
            db = sqlite3.connect(":memory:")
        except sqlite3.DatabaseError:
            if not self._read_only:
                self._database.unlink(missing_ok=True)
            db = sqlite3.connect(":memory:") if self._read_only else self._connect()
        try:
            yield db
        finally:
            db.close()

    def _connect(self) -> sqlite3.Connection:
        if self._read_only:
            return sqlite3.connect(f"{self._database.resolve().as_uri()}?mode=ro", timeout=30, uri=True)
        self._database.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self._database, timeout=30)
        db.execute(
            "create table if not exists files (path text primary key, stamp text, hash text, checksum text)"
        )
        return db


def _lookup(db: sqlite3.Connection, names: Sequence[str]) -> dict[str, dict[str, str]]:
    rows: list[tuple[Any, ...]] = []
    with contextlib.suppress(sqlite3.DatabaseError):  # damaged cache: rehash every file
        for start in range(0, len(names), 500):
            chunk = names[start : start + 500]
            marks = ",".join("?" * len(chunk))
            rows += db.execute(f"select * from files where path in ({marks})", chunk)  # noqa: S608  # only marks
    return {row[0]: {row[1]: row[2]} for row in rows if _is_intact(row)}


def _save(db: sqlite3.Connection, rows: Iterable[tuple[str, str, str]]) -> None:
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        db,
    ):  # e.g. locked by another process, or the disk is full
        db.executemany(
            "insert or replace into files values (?, ?, ?, ?)",
            [(p, s, h, _check(p, s, h)) for p, s, h in rows],
        )


def _name(path: Path) -> str:
    """Return a path as text that SQLite accepts: file names need not be UTF-8."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _is_intact(row: Sequence[object]) -> bool:
    """Return whether a row matches its checksum; in a damaged file values may have any type."""
    match row:
        case (str(path), str(stamp), str(value), str(check)):
            return check == _check(path, stamp, value)
    return False


def _check(path: str, stamp: str, value: str) -> str:
    return str(xxhash.xxh3_64_hexdigest("\0".join((path, stamp, value)).encode()))


def _stamp(path: Path) -> str:
    try:
        s = path.stat()
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror}") from None
    return f"{s.st_size}:{s.st_ino}:{s.st_mtime_ns}:{s.st_ctime_ns}"


def _changed_ns(stamp: str) -> int:
    return max(map(int, stamp.split(":")[2:]))


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as f:
            return hashlib.file_digest(f, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()
    except OSError as e:
        raise DataError(f"{path}: cannot be read: {e.strerror}") from None
