"""Fetch one file by https so that an interruption costs nothing and a wrong file is never used."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from bench.errors import DataError
from bench.util.durable import sync_folder

Report = Callable[[int, int | None, str], None]

_BLOCK = 1 << 18
_TIMEOUT_S = 60.0
_TRIES = 5
"""Attempts in a row that may bring nothing."""
_FIRST_WAIT_S = 1.0
"""Pause after a failed attempt; doubles with each."""
_LOCAL = ("127.0.0.1", "::1", "localhost")
_SPARE_BYTES = 100 << 20


@dataclass(frozen=True)
class Wanted:
    """One file to fetch, and what is known of it."""

    url: str
    size: int | None = None
    md5: str = ""

    @property
    def name(self) -> str:
        """File name in the target folder: the last part of the address."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


def fetch(wanted: Wanted, folder: Path, report: Report) -> bool:
    """Bring a file into `folder`; return False if it was there, whole, already.

    The bytes go to `<name>.part`, which the next call continues; only a file of the declared size and
    sum gets its name. One of a wrong sum is kept aside as `<name>.bad`.

    Raises
    ------
    DataError : an address that is not https (http is for this machine only), no such file, a size or
        sum other than declared, a full disk, a source that stays silent, another process at work.
    """
    _check_address(wanted.url)
    target = folder / wanted.name
    if target.exists():
        _check_size(target, wanted, "move it away to fetch it again")
        _check_sum(target, target, wanted, report)
        return False
    part = folder / f"{wanted.name}.part"
    with part.open("ab") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{part}: another process is fetching it") from None
        if target.exists():  # the process that held the lock has just finished
            return False
        _Transfer(wanted, part, f, report).run()
        f.flush()
        _check_size(part, wanted, "the same command continues")
        _tag_of(part).unlink(missing_ok=True)
        _check_sum(part, folder / f"{wanted.name}.bad", wanted, report)
        part.replace(target)
        sync_folder(folder)
    return True


def check_space(folder: Path, need: int) -> None:
    """Raise `DataError` if `need` bytes and a reserve do not fit on the disk of `folder`."""
    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < need + _SPARE_BYTES:
        raise DataError(
            f"{folder}: {need / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free; "
            "make room or choose another folder"
        )


class _Silent(Exception):
    """An attempt that failed in a way that another may not."""


class _Transfer:
    """Attempts, each continuing where the last one ended, until the file is whole."""

    def __init__(self, wanted: Wanted, part: Path, file: IO[bytes], report: Report) -> None:
        self._wanted, self._part, self._file, self._report = wanted, part, file, report
        self._done = part.stat().st_size

    def run(self) -> None:
        if self._wanted.size is not None and self._done > self._wanted.size:
            self._start_over()
        failed = 0
        while True:
            before = self._done
            if self._done and self._done == self._wanted.size:
                return
            try:
                if self._attempt():
                    return
                why = "the connection was closed"
            except (_Silent, http.client.HTTPException, OSError) as e:
                if isinstance(e, OSError) and e.filename is not None:  # our disk, not the network
                    raise
                why = str(getattr(e, "reason", "") or e or type(e).__name__)
            failed = failed + 1 if self._done <= before else 0
            if failed >= _TRIES:
                of = f" of {self._wanted.size}" if self._wanted.size else ""
                raise DataError(
                    f"{self._wanted.url}: {why}, after {self._done}{of} bytes; the same command continues"
                )
            time.sleep(_FIRST_WAIT_S * 2**failed)

    def _attempt(self) -> bool:
        """Ask for what is missing; return whether the file is whole."""
        with self._ask() as answer:
            if answer.status == 416:
                return self._settle(answer)
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise DataError(
                    f"{self._wanted.url}: the server sends it compressed, which cannot be continued"
                )
            start, total = _extent(answer)
            if start != self._done:  # the whole file: the server knows no ranges, or the file changed
                if start:
                    raise DataError(f"{self._wanted.url}: asked from byte {self._done}, sent from {start}")
                self._start_over()
            if None not in (total, self._wanted.size) and total != self._wanted.size:
                raise DataError(
                    f"{self._wanted.url}: has {total} bytes, {self._wanted.size} were declared: "
                    "the file at the source is another one now"
                )
            if total is not None:
                check_space(self._part.parent, total - self._done)
            if not start:
                _tag_of(self._part).write_text(_tag(answer))
            self._copy(answer, total if total is not None else self._wanted.size)
        return total is None or self._done == total  # of an unknown length the end is what comes last

    def _ask(self) -> Any:
        headers = {"Accept-Encoding": "identity", "User-Agent": "cutjoin"}
        if self._done:
            headers["Range"] = f"bytes={self._done}-"
            tag = _tag_of(self._part)
            if tag.is_file() and tag.read_text():
                headers["If-Range"] = tag.read_text()
        request = urllib.request.Request(self._wanted.url, headers=headers)  # noqa: S310  # checked: http(s) only
        try:
            return _opener(self._wanted.url).open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as e:
            if e.code == 416:
                return e
            with e:
                if e.code in (408, 425, 429) or e.code >= 500:
                    raise _Silent(f"the server answers {e.code} {e.reason}") from None
                raise DataError(f"{self._wanted.url}: the server answers {e.code} {e.reason}") from None

    def _copy(self, answer: Any, total: int | None) -> None:
        self._report(self._done, total, self._wanted.name)
        while block := answer.read(_BLOCK):
            if total is not None and self._done + len(block) > total:
                raise DataError(f"{self._wanted.url}: more than the {total} bytes that were declared")
            self._file.write(block)
            self._done += len(block)
            self._report(self._done, total, self._wanted.name)
        self._file.flush()

    def _settle(self, answer: Any) -> bool:
        """Judge the answer "nothing from there on": we have all, or what we have is of another file."""
        match = re.fullmatch(r"bytes \*/(\d+)", answer.headers.get("Content-Range", ""))
        if match and int(match[1]) == self._done:
            return True
        self._start_over()
        return False

    def _start_over(self) -> None:
        self._file.truncate(0)
        self._done = 0
        _tag_of(self._part).unlink(missing_ok=True)


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows no redirection to an address that would not have been accepted itself."""

    def redirect_request(self, *words: Any) -> urllib.request.Request | None:
        _check_address(str(words[-1]))
        return super().redirect_request(*words)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Return an opener that respects the proxies of the environment, but for this machine."""
    own = [urllib.request.ProxyHandler({})] if urlsplit(url).hostname in _LOCAL else []
    return urllib.request.build_opener(_HttpsOnly, *own)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise DataError(f"{url}: only https is used")
    if Wanted(url).name in ("", ".", ".."):
        raise DataError(f"{url}: names no file")


def _extent(answer: Any) -> tuple[int, int | None]:
    """Return the first byte that an answer holds, and the length of the whole file where it is said."""
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if match is None:
            raise DataError(f"{answer.url}: a part of the file, but not which one")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _tag(answer: Any) -> str:
    """Return what identifies this state of the file at the source; weak tags do not."""
    tag = answer.headers.get("ETag", "")
    return "" if tag.startswith("W/") else str(tag)


def _tag_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _check_size(path: Path, wanted: Wanted, fix: str) -> None:
    size = path.stat().st_size
    if wanted.size is not None and size != wanted.size:
        raise DataError(f"{path}: has {size} bytes, {wanted.size} were declared; {fix}")


def _check_sum(path: Path, bad: Path, wanted: Wanted, report: Report) -> None:
    """Compare the MD5 sum where one is known; a file that differs is moved to `bad`."""
    if not wanted.md5:
        return
    state, done, size = hashlib.md5(usedforsecurity=False), 0, path.stat().st_size
    with path.open("rb") as f:
        while block := f.read(1 << 22):
            state.update(block)
            done += len(block)
            report(done, size, f"{wanted.name}: checking the sum")
    if state.hexdigest() != wanted.md5.lower():
        path.replace(bad)
        raise DataError(
            f"{bad}: its MD5 sum is {state.hexdigest()}, {wanted.md5} was declared: damaged on the way, "
            "or another file now; it is not used"
        )
