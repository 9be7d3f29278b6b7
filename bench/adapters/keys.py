"""Content keys: the same inputs give the same key, in every process and on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from bench.adapters.registry import identity
from bench.interfaces import Adapter, FileMark, Json, marks

DIGEST_BYTES = 16


def digest(value: Json) -> str:
    """Return 32 hex digits of the canonical JSON of `value`: the order of mappings means nothing."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")  # names of files need not be UTF-8
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def inputs_of(
    adapter: Adapter, content: Callable[[Path], str], leave_out: tuple[str, ...] = ()
) -> dict[str, Json]:
    """List all that decides what an adapter computes: its code's identity and every parameter.

    Defaults count as if written out. A file parameter counts by its content
    (`content(path)`) and ending, not by where it lies. Nested adapters count the same way.
    """
    params = {
        name: _canonical(getattr(adapter, name), _is_file(field), content)
        for name, field in type(adapter).model_fields.items()
        if name not in leave_out
    }
    return {"adapter": identity(type(adapter)), "params": params}


def _is_file(field: FieldInfo) -> bool:
    return any(isinstance(m, FileMark) for m in marks(field))


def _canonical(value: Any, is_file: bool, content: Callable[[Path], str]) -> Json:
    if isinstance(value, Adapter):
        return inputs_of(value, content)
    if isinstance(value, Path):
        # The ending stays: adapters read the same bytes as this or that format by it.
        return {"content": content(value), "ending": value.suffix} if is_file else value.as_posix()
    if isinstance(value, dict):
        return {str(k): _canonical(v, is_file, content) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(v, is_file, content) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(v) for v in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)  # 1 and 1.0 are the same number
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"parameter value {value!r} of type {type(value).__name__} has no canonical form")
