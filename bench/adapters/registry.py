"""Finds adapters by kind and name; built-in ones are the files of `datasets/` and `methods/`."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bench import interfaces
from bench.adapters.sockets import Entry, Socket, paths_of, subclasses_of
from bench.errors import AdapterError as AdapterError  # where version 0.1 had it
from bench.interfaces import Adapter

KINDS: dict[str, tuple[str, type[Adapter]]] = {
    "dataset": ("bench.datasets", interfaces.Dataset),
    "generator": ("bench.datasets.synthetic", interfaces.Generator),
    "encoder": ("bench.methods.encoders", interfaces.Encoder),
    "reducer": ("bench.methods.reducers", interfaces.Reducer),
    "pair_model": ("bench.methods.pair_models", interfaces.PairModel),
    "clusterer": ("bench.methods.clusterers", interfaces.Clusterer),
    "classifier": ("bench.methods.classifiers", interfaces.Classifier),
}
"""Kind -> (package of its files, base class)."""

_SOCKETS: dict[str, Socket[type[Adapter]]] = {
    kind: Socket(kind, package, base.__name__, subclasses_of(base)) for kind, (package, base) in KINDS.items()
}


def kind_of(base: type[Adapter]) -> str:
    """Return the kind whose base class an adapter class derives from."""
    return next(kind for kind, (_, parent) in KINDS.items() if issubclass(base, parent))


def names(kind: str) -> list[str]:
    """Return the names of all adapters of a kind, sorted; built-in and from entry points."""
    return _SOCKETS[kind].names()


def entries(kind: str) -> list[Entry]:
    """Return all adapters of a kind with a one-line summary; imports none of them."""
    return _SOCKETS[kind].entries()


def built_in(kind: str) -> list[type[Adapter]]:
    """Return the adapters of a kind that ship with this package, by name; imports them."""
    return [load(kind, e.name) for e in entries(kind) if e.origin == "built in"]


def load(kind: str, use: str, folder: Path | None = None) -> type[Adapter]:
    """Return the adapter class that `use` names.

    Parameters
    ----------
    kind : one of `KINDS`.
    use : a name; or a path that ends in .py, relative to `folder` (that of the suite file).

    Raises
    ------
    AdapterError : unknown name (with the nearest ones), or a file that cannot be imported
        or does not define exactly one adapter of this kind.
    """
    found = _SOCKETS[kind].load(use, folder)
    cls = found.value
    cls.use = use
    if found.content_hash:
        cls.content_hash = found.content_hash
    return cls


def identity(cls: type[Adapter]) -> str:
    """Return the identity of an adapter's code, for keys: name and version, or a user file's content hash."""
    if cls.content_hash:
        return f"file:{cls.content_hash}@{cls.version}"  # a version can be inherited
    if is_built_in(cls):
        return f"{cls.use}@{cls.version}"
    return f"{cls.__module__}:{cls.__qualname__}@{cls.version}"  # two packages may use one name


def find(kind: str, identity: str) -> type[Adapter]:
    """Return an installed adapter by its identity without the version.

    Raises `AdapterError` if it is not installed.
    """
    if ":" not in identity:
        return load(kind, identity)
    package = identity.partition(":")[0].partition(".")[0]
    foreign = [entry for entry in entries(kind) if entry.origin != "built in"]
    for entry in sorted(foreign, key=lambda e: not e.summary.startswith(package)):  # the likely ones first
        with contextlib.suppress(AdapterError):  # one that is broken does not hide another
            cls = load(kind, entry.name)
            if f"{cls.__module__}:{cls.__qualname__}" == identity:
                return cls
    raise AdapterError(f"{kind} {identity}: no installed package declares it; install its package")


def file_of(cls: type[Adapter]) -> Path | None:
    """Return the user's file that an adapter comes from; None for installed ones.

    Of several with the same content, the latest that was loaded and still exists.
    """
    if not cls.content_hash:
        return None
    paths = paths_of(cls.content_hash)
    return next((path for path in paths if path.is_file()), paths[0])


def is_built_in(cls: type[Adapter]) -> bool:
    """Return whether an adapter ships with this package."""
    return cls.__module__.startswith("bench.")
