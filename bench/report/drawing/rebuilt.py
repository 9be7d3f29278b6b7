"""The adapters of a finished cell, built again from what its record says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.adapters.spec import AdapterSpec
from bench.errors import CutjoinError, DataError
from bench.interfaces import Adapter
from bench.planning.fingerprint import Fingerprints
from bench.stages.finished import FinishedCell


@dataclass(frozen=True)
class Rebuilt:
    """An adapter of a finished cell."""

    adapter: Adapter
    lost: tuple[str, ...]
    """Parameters whose files are no longer where they were, or have changed. What was learned needs none."""


def spec(cell: FinishedCell, part: str) -> AdapterSpec | None:
    """Return how a part of the method is written down; None without that part.

    The encoder of a method with a pair model is the one inside it, if it has one.
    """
    found = cell.spec(part)
    outer = cell.spec("pair_model") if part == "encoder" and found is None else None
    inner = outer.params.get("encoder") if outer is not None else None
    if outer is None or inner is None:
        return found
    return AdapterSpec.from_record("encoder", inner, outer.files)


def code(cell: FinishedCell, part: str) -> type[Adapter] | None:
    """Return the class of a part of the method, whatever its version here; None without that part.

    Raises `AdapterError` or `DataError` if it is not installed here, or its file is gone or changed.
    """
    found = spec(cell, part)
    return found.code() if found is not None else None


def rebuild(cell: FinishedCell, part: str) -> Rebuilt:
    """Build a part of the method again, also if files that its parameters name are lost.

    Raises
    ------
    AdapterError : it is not installed here.
    DataError : the method has no such part, or it has another version or content here.
    """
    method, found = cell.record.method, spec(cell, part)
    if found is None:
        raise DataError(f"{method}: has no {part.replace('_', ' ')}")
    files, lost = dict(found.files), []
    for name, key, digest in _files_in(found.params, ()):
        if not _is_there(files.get(key), digest):
            files[key] = key  # a path that does not exist: reading it says so
            lost.append(name)
    try:
        adapter = found.model_copy(update={"files": files}).build()
    except CutjoinError as e:
        raise type(e)(f"{method}: {e}; `bench run {cell.record.suite}` computes the results again") from e
    return Rebuilt(adapter, tuple(lost))


def _files_in(value: Any, name: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield parameter, content with ending, and content of all files that parameters name."""
    if isinstance(value, dict) and value.keys() == {"content", "ending"}:
        yield ".".join(name), f"{value['content']}{value['ending']}", value["content"]
    elif isinstance(value, dict):
        inner = value["params"] if value.keys() == {"adapter", "params"} else value
        for key, one in inner.items():
            yield from _files_in(one, (*name, key))
    elif isinstance(value, list):
        for one in value:
            yield from _files_in(one, name)


def _is_there(path: str | None, digest: str) -> bool:
    if path is None or not Path(path).is_file():
        return False
    return Fingerprints(Path("none"), read_only=True).content(Path(path)) == digest
