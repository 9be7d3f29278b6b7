"""Unpack untrusted archives: nothing is written outside the folder or overwritten in it."""

from __future__ import annotations

import fcntl
import functools
import os
import posixpath
import re
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import IO

from bench.acquire.download import check_space
from bench.errors import DataError

ReportProgress = Callable[[int, int | None, str], None]

MAX_MEMBERS = 2_000_000
MAX_RATIO = 200
"""Largest content relative to the archive; above the first 100 MB, images and tables stay far below."""
_SMALL_BYTES = 100_000_000
_BLOCK = 1 << 20
_LAST_TIME = 2**32 - 1
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, NotImplementedError)


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive."""

    files: int
    """Files in the archive, including those that were already there."""
    written: int
    bytes: int


def is_archive(path: Path) -> bool:
    """Say whether a file is a zip or tar archive, by its content."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def unpack(archive: Path, folder: Path, report: ReportProgress) -> Unpacked:
    """Unpack a zip or a tar (plain, gz, bz2, xz) into `folder`; calling it again continues.

    Files appear whole or not at all, with their times and without their modes. Links between members
    become copies. A file that is there with the same content is left alone.

    Raises
    ------
    DataError : absolute names, `..`, links that lead out, device files, names that repeat, a file in
        `folder` with other content, encryption, damage, too many members, too large a content. A zip
        is refused before anything is written; a tar at the member in question.
    """
    folder = folder.resolve()
    try:
        with archive.open("rb") as f:
            try:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(f"{archive}: another process is unpacking it") from None
            members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
            with members(archive) as found:
                return _Unpacking(archive, folder, report).run(found)
    except _DAMAGED as e:
        raise DataError(f"{archive}: damaged, or not a supported kind of archive: {e}") from None
    except OSError as e:  # gzip and bz2 raise it for damaged data; errors on our own files carry a file name
        if e.filename is not None or e.errno is not None:
            raise
        raise DataError(f"{archive}: damaged: {e}") from None


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    mtime: int
    is_folder: bool
    refused: str
    """Why it cannot be unpacked; empty if it can."""
    open: Callable[[], IO[bytes]]


class _Unpacking:
    def __init__(self, archive: Path, folder: Path, report: ReportProgress) -> None:
        self._archive, self._folder, self._report = archive, folder, report
        self._limit = max(_SMALL_BYTES, MAX_RATIO * archive.stat().st_size)
        self._files = self._size = 0
        self._seen: set[Path] = set()
        self._made: set[Path] = set()
        self._temporary = folder / f".{archive.name[:200]}.unpacking"

    def run(self, members: Iterable[_Member]) -> Unpacked:
        """Unpack the members; a list of them is checked as a whole first."""
        admitted: Iterable[tuple[_Member, Path]] = map(self._admit, members)
        total = None
        if isinstance(members, list):
            admitted = list(admitted)
            total = self._size
            check_space(self._folder, sum(m.size for m, path in admitted if not os.path.lexists(path)))
        written = done = 0
        try:
            for member, path in admitted:
                self._make_folder(path if member.is_folder else path.parent)
                if not member.is_folder:
                    written += self._write(member, path)
                done += member.size
                self._report(done, total, f"unpacking {self._archive.name}")
        finally:
            self._temporary.unlink(missing_ok=True)
        return Unpacked(self._files, written, self._size)

    def _admit(self, member: _Member) -> tuple[_Member, Path]:
        """Return a member and its path. Raises `DataError` for one that must not be unpacked."""
        name = member.name.replace("\\", "/")
        parts = [p for p in name.split("/") if p not in ("", ".")]
        path = self._folder.joinpath(*parts)
        why = member.refused
        if name.startswith("/") or ".." in parts or "\0" in name or re.match("[A-Za-z]:", name):
            why = "its name leads out of the folder"
        elif not member.is_folder and not parts:
            why = "it names no file"
        elif not member.is_folder and path in self._seen:
            why = "it is there twice"
        if why:
            raise DataError(f"{self._archive}: {member.name!r} is refused: {why}")
        if not member.is_folder:
            self._seen.add(path)
            self._files += 1
        self._size += member.size
        if self._files > MAX_MEMBERS:
            raise DataError(f"{self._archive}: holds over {MAX_MEMBERS} files")
        if self._size > self._limit:
            raise DataError(
                f"{self._archive}: its content is larger than {self._limit} bytes, which no archive "
                "of its length of images holds"
            )
        return member, path

    def _make_folder(self, path: Path) -> None:
        """Make a folder, following no link that leads out."""
        if path in self._made:
            return
        there = path
        while not os.path.lexists(there):
            there = there.parent
        if not there.is_dir() or not there.resolve().is_relative_to(self._folder):
            raise DataError(
                f"{there}: is not a folder within {self._folder}; {self._archive.name} is not unpacked there"
            )
        path.mkdir(parents=True, exist_ok=True)
        self._made.add(path)

    def _write(self, member: _Member, path: Path) -> bool:
        """Write one file, whole or not at all; return False if it is there with the same content."""
        if os.path.lexists(path):
            status = path.lstat()
            same = stat.S_ISREG(status.st_mode) and status.st_size == member.size
            if same and (int(status.st_mtime) == member.mtime or self._same_content(member, path)):
                return False
            raise DataError(
                f"{path}: exists, and differs from what {self._archive.name} holds; move it away to unpack"
            )
        left = member.size
        with member.open() as source, self._temporary.open("wb") as target:
            while left >= 0 and (block := source.read(_BLOCK)):
                left -= len(block)
                target.write(block)
        if left:
            raise DataError(
                f"{self._archive}: {member.name!r} does not have the {member.size} bytes that it declares"
            )
        os.utime(self._temporary, (member.mtime, member.mtime))
        self._temporary.replace(path)
        return True

    def _same_content(self, member: _Member, path: Path) -> bool:
        with member.open() as one, path.open("rb") as other:
            while (block := one.read(_BLOCK)) == other.read(_BLOCK):
                if not block:
                    return True
        return False


@contextmanager
def _zip_members(archive: Path) -> Iterator[list[_Member]]:
    with zipfile.ZipFile(archive) as opened:
        yield [_zip_member(opened, info) for info in opened.infolist()]


def _zip_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    why = "it is encrypted" if info.flag_bits & 1 else ""
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        why = "it is a link or a special file"
    mtime = int(time.mktime((*info.date_time, 0, 0, -1)))
    is_folder = info.filename.endswith("/")
    size = 0 if is_folder else info.file_size
    return _Member(info.filename, size, mtime, is_folder, why, lambda: opened.open(info))


@contextmanager
def _tar_members(archive: Path) -> Iterator[Iterable[_Member]]:
    with tarfile.open(archive) as opened:
        files = functools.cache(lambda: _files_by_name(opened))
        yield (_tar_member(opened, info, files) for info in opened)


def _tar_member(
    opened: tarfile.TarFile, info: tarfile.TarInfo, files: Callable[[], dict[str, tarfile.TarInfo]]
) -> _Member:
    content: tarfile.TarInfo | None = info
    why = ""
    if info.issym() or info.islnk():
        start = posixpath.dirname(info.name) if info.issym() else ""
        content = files().get(posixpath.normpath(posixpath.join(start, info.linkname)))
        why = "" if content else f"it links to {info.linkname!r}, which is not a file of the archive"
    elif not info.isreg() and not info.isdir():
        why = "it is a special file"
    mtime = min(max(int(info.mtime), 0), _LAST_TIME)
    size = content.size if content and content.isreg() else 0

    def read() -> IO[bytes]:
        assert content is not None
        opening = opened.extractfile(content)
        assert opening is not None
        return opening

    return _Member(info.name, size, mtime, info.isdir(), why, read)


def _files_by_name(opened: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """Return possible targets of links: files, not further links or folders."""
    return {posixpath.normpath(m.name): m for m in opened.getmembers() if m.isreg()}
