"""Files that appear atomically and detect flipped bits."""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

import xxhash

from bench.errors import CutjoinError

_MARK, _DIGITS, _END = "xxh3-128 of all before:", 32, b'"\n}\n'


class Damaged(CutjoinError, ValueError):
    """A file whose content is not what was written; the message says which and how it was detected."""


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader sees the old file or the new one, also after power loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = (
        path.parent / f".{path.name}.{secrets.token_hex(6)}.tmp"
    )  # unique: a writer that died blocks nobody
    try:
        with temporary.open("xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def is_temporary(path: Path) -> bool:
    """Say whether `write_whole` gives such names to files that it has not finished."""
    return re.fullmatch(r"\..+\.[0-9a-f]{12}\.tmp", path.name) is not None


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
