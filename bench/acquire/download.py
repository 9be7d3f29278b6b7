"""Fetch one file by https so that interruptions are resumed and a wrong file is never used."""

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

ReportProgress = Callable[[int, int | None, str], None]

_BLOCK = 1 << 18
_TIMEOUT_S = 60.0
_TRIES = 5
"""Consecutive attempts that may fail without progress."""
_FIRST_WAIT_S = 1.0
"""Pause after a failed attempt; doubles with each."""
_LOCAL = ("127.0.0.1", "::1", "localhost")
_SPARE_BYTES = 100 << 20


@dataclass(frozen=True)
class RemoteFile:
    """One file to fetch, and its known size and checksum."""

    url: str
    size: int | None = None
    md5: str = ""

    @property
    def name(self) -> str:
        """File name in the target folder: the last part of the address."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


def fetch(remote: RemoteFile, folder: Path, report: ReportProgress) -> bool:
    """Bring a file into `folder`; return False if it was already there, complete.

    The bytes go to `<name>.part`, which the next call continues; only a file of the declared size and
    sum gets its name. One with a wrong checksum is moved to `<name>.bad`.

    Raises
    ------
    DataError : an address that is not https (http is for this machine only), no such file, a size or
        sum other than declared, a full disk, a source that does not respond, another process fetching it.
    """
    _check_address(remote.url)
    target = folder / remote.name
    if target.exists():
        _check_size(target, remote, "move it away to fetch it again")
        _check_sum(target, target, remote, report)
        return False
    part = folder / f"{remote.name}.part"
    with part.open("ab") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{part}: another process is fetching it") from None
        if target.exists():  # the process that held the lock has just finished
            return False
        _Transfer(remote, part, f, report).run()
        f.flush()
        _check_size(part, remote, "the same command continues")
        _tag_of(part).unlink(missing_ok=True)
        _check_sum(part, folder / f"{remote.name}.bad", remote, report)
        part.replace(target)
        sync_folder(folder)
    return True


def check_space(folder: Path, need: int) -> None:
    """Raise `DataError` if `need` bytes and a reserve do not fit on the disk of `folder`."""
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < need + _SPARE_BYTES:
        raise DataError(
            f"{folder}: {need / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free; "
            "make room or choose another folder"
        )


class _Silent(Exception):
    """An attempt that failed but may be retried."""


class _Transfer:
    """Attempts, each continuing where the last one ended, until the file is whole."""

    def __init__(self, remote: RemoteFile, part: Path, file: IO[bytes], report: ReportProgress) -> None:
        self._remote, self._part, self._file, self._report = remote, part, file, report
        self._done = part.stat().st_size

    def run(self) -> None:
        if self._remote.size is not None and self._done > self._remote.size:
            self._start_over()
        failed = 0
        while True:
            before = self._done
            if self._done and self._done == self._remote.size:
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
                of = f" of {self._remote.size}" if self._remote.size else ""
                raise DataError(
                    f"{self._remote.url}: {why}, after {self._done}{of} bytes; the same command continues"
                )
            time.sleep(_FIRST_WAIT_S * 2**failed)

    def _attempt(self) -> bool:
        """Request what is missing; return whether the file is complete."""
        with self._ask() as answer:
            if answer.status == 416:
                return self._settle(answer)
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise DataError(
                    f"{self._remote.url}: the server sends it compressed, which cannot be continued"
                )
            start, total = _extent(answer)
            if start != self._done:  # the whole file: the server knows no ranges, or the file changed
                if start:
                    raise DataError(f"{self._remote.url}: requested byte {self._done}, got {start}")
                self._start_over()
            if None not in (total, self._remote.size) and total != self._remote.size:
                raise DataError(
                    f"{self._remote.url}: has {total} bytes, {self._remote.size} were declared: "
                    "the file at the source has changed"
                )
            if total is not None:
                check_space(self._part.parent, total - self._done)
            if not start:
                _tag_of(self._part).write_text(_tag(answer))
            self._copy(answer, total if total is not None else self._remote.size)
        return total is None or self._done == total  # unknown: it ends with the response

    def _ask(self) -> Any:
        headers = {"Accept-Encoding": "identity", "User-Agent": "cutjoin"}
        if self._done:
            headers["Range"] = f"bytes={self._done}-"
            tag = _tag_of(self._part)
            if tag.is_file() and tag.read_text():
                headers["If-Range"] = tag.read_text()
        request = urllib.request.Request(self._remote.url, headers=headers)  # noqa: S310  # checked: http(s) only
        try:
            return _opener(self._remote.url).open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as e:
            if e.code == 416:
                return e
            with e:
                if e.code in (408, 425, 429) or e.code >= 500:
                    raise _Silent(f"the server answers {e.code} {e.reason}") from None
                raise DataError(f"{self._remote.url}: the server answers {e.code} {e.reason}") from None

    def _copy(self, answer: Any, total: int | None) -> None:
        self._report(self._done, total, self._remote.name)
        while block := answer.read(_BLOCK):
            if total is not None and self._done + len(block) > total:
                raise DataError(f"{self._remote.url}: more than the {total} bytes that were declared")
            self._file.write(block)
            self._done += len(block)
            self._report(self._done, total, self._remote.name)
        self._file.flush()

    def _settle(self, answer: Any) -> bool:
        """Handle "range not satisfiable": the file is complete, or the partial one is of another version."""
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
    if RemoteFile(url).name in ("", ".", ".."):
        raise DataError(f"{url}: names no file")


def _extent(answer: Any) -> tuple[int, int | None]:
    """Return the offset of the first byte of a response, and the length of the whole file if known."""
    if answer.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if match is None:
            raise DataError(f"{answer.url}: a part of the file, but not which one")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _tag(answer: Any) -> str:
    """Return the ETag that identifies this version of the file; empty for weak ones."""
    tag = answer.headers.get("ETag", "")
    return "" if tag.startswith("W/") else str(tag)


def _tag_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _check_size(path: Path, remote: RemoteFile, fix: str) -> None:
    size = path.stat().st_size
    if remote.size is not None and size != remote.size:
        raise DataError(f"{path}: has {size} bytes, {remote.size} were declared; {fix}")


def _check_sum(path: Path, bad: Path, remote: RemoteFile, report: ReportProgress) -> None:
    """Compare the MD5 sum where one is known; a file that differs is moved to `bad`."""
    if not remote.md5:
        return
    state, done, size = hashlib.md5(usedforsecurity=False), 0, path.stat().st_size
    with path.open("rb") as f:
        while block := f.read(1 << 22):
            state.update(block)
            done += len(block)
            report(done, size, f"{remote.name}: checking the sum")
    if state.hexdigest() != remote.md5.lower():
        path.replace(bad)
        raise DataError(
            f"{bad}: its MD5 sum is {state.hexdigest()}, {remote.md5} was declared: damaged in transit, "
            "or changed at the source; it is not used"
        )
