"""Files that appear atomically and detect flipped bits."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash

from bench.errors import CutjoinError, DiskFull

_MARK, _DIGITS, _END = "xxh3-128 of all before:", 32, b'"\n}\n'


_FULL = (errno.ENOSPC, errno.EDQUOT)
_LITTLE, _MUCH = 1 << 20, 1 << 26
"""Bytes free below which any failure is one of a full disk, and above which the full disk is another one."""


class Damaged(CutjoinError, ValueError):
    """A file whose content is not what was written; the message says which and how it was detected."""


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader sees the old file or the new one, also after power loss.

    Raises `DiskFull`, or another `OSError` that names the path.
    """
    # unique: a writer that died blocks nobody
    temporary = path.parent / f".{path.name}.{secrets.token_hex(6)}.tmp"
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def write_first(path: Path, data: bytes) -> bool:
    """Put `data` at `path` like `write_whole`, unless there is a file; say whether it was put there."""
    if path.exists():
        return False
    beside = path.parent / f".{path.name}.{secrets.token_hex(6)}.tmp"
    write_whole(beside, data)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        beside.replace(path)
        return True
    finally:
        beside.unlink(missing_ok=True)
    return True


def is_temporary(path: Path) -> bool:
    """Say whether `write_whole` gives such names to files that it has not finished."""
    return re.fullmatch(r"\..+\.[0-9a-f]{12}\.tmp", path.name) is not None


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have errors of the operating system name the path, and those of a full disk be `DiskFull`."""
    try:
        yield
    except DiskFull:
        raise
    except OSError as e:
        if e.errno in _FULL:
            raise DiskFull(disk_full(path)) from e
        if e.filename is None and e.errno is not None:
            raise OSError(e.errno, e.strerror, str(path)) from e
        raise


def is_full(error: OSError) -> bool:
    """Say whether the operating system tells that some disk is full, or a user's share of it."""
    return error.errno in _FULL


def disk_full(path: Path) -> str:
    """Say that no room is left for `path`."""
    return f"{path}: cannot be written: the disk is full"


def is_of_full_disk(error: BaseException, folder: Path) -> bool:
    """Say whether something failed because the disk of `folder` is full.

    Libraries tell in many ways, numpy without an error number; and what is full may be another disk.
    """
    if not isinstance(error, Exception) or isinstance(error, CutjoinError | MemoryError):
        return isinstance(error, DiskFull)
    room = _room(folder)
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return room < _LITTLE
    if error.filename is not None:
        return Path(os.fsdecode(error.filename)).absolute().is_relative_to(folder.absolute())
    return error.errno == errno.EDQUOT or room < _MUCH


def explained(error: OSError) -> str:
    """Return the message of an operating system's error in words: where, what."""
    where = error.filename2 or error.filename
    if error.errno is None or error.strerror is None:
        return str(error)
    what = "the disk is full" if error.errno in _FULL else error.strerror
    return f"{os.fsdecode(where)}: {what}" if isinstance(where, str | bytes) else what


def _room(folder: Path) -> int:
    """Return how many bytes can still be written to the disk of a folder; 0 if no file can be made."""
    try:
        s = os.statvfs(folder)
    except OSError:
        return _MUCH
    return 0 if s.f_files and not s.f_favail else s.f_bavail * s.f_frsize


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(body: dict[str, Any]) -> bytes:
    """Return `body` as readable JSON that ends with a checksum of all bytes before; read it with `unseal`."""
    if "checksum" in body:
        raise ValueError("a sealed body must not have a field `checksum`")
    empty = _render({**body, "checksum": _MARK + _DIGITS * "0"})
    start = empty[: -_DIGITS - len(_END)]
    return start + _digest(start) + _END


def unseal(data: bytes, name: str, until: str | None = None) -> dict[str, Any]:
    """Return the body of sealed JSON. Raises `Damaged` if a single bit differs from what was sealed.

    With `until`, every byte is checked, but only the fields before the one of that name are returned:
    the rest of a long body need not be parsed. Older files are returned whole.
    """
    start = data[: -_DIGITS - len(_END)]
    if not start.endswith(_MARK.encode()):
        return _unseal_by_values(data, name)
    if start + _digest(start) + _END != data:
        raise Damaged(f"{name}: content does not match its checksum")
    at = data.find(f',\n "{until}": '.encode()) if until is not None else -1
    try:
        body = dict(json.loads(data if at < 0 else data[:at] + b"}"))
    except (ValueError, TypeError, RecursionError):
        raise Damaged(f"{name}: not a complete sealed JSON file") from None
    body.pop("checksum", None)
    return body


def file_checksum(path: Path) -> str:
    """Return the XXH3 128-bit checksum of a file: detects accidents, not forgery."""
    state = xxhash.xxh3_128()
    with path.open("rb") as f:
        while block := f.read(1 << 22):
            state.update(block)
    return str(state.hexdigest())


def _digest(data: bytes) -> bytes:
    return str(xxhash.xxh3_128_hexdigest(data)).encode()


def _unseal_by_values(data: bytes, name: str) -> dict[str, Any]:
    """Read a file of the first format, whose checksum covers its values."""
    try:
        body = json.loads(data)
        claimed = body.pop("checksum")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Damaged(f"{name}: not a complete sealed JSON file") from None
    # The bytes are compared too: a flip in white space or in a spelling of a number changes no value.
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    expected = str(xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass")))
    if claimed != expected or _render({**body, "checksum": claimed}) != data:
        raise Damaged(f"{name}: content does not match its checksum")
    return dict(body)


def _render(body: dict[str, Any]) -> bytes:
    return (json.dumps(body, indent=1) + "\n").encode()
