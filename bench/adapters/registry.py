"""Finds an adapter by its kind and name. One file = one adapter = one name.

Built-in adapters are the files of `datasets/` and `methods/`. A user's own
adapter is a Python file named in the suite (`use: ./my_encoder.py`) or an
entry point of an installed package (group `cutjoin.encoders`, and so on).
Listing names never imports an adapter.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bench import interfaces
from bench.interfaces import Adapter
from bench.util.text import suggest

if TYPE_CHECKING:
    import importlib.metadata as md

KINDS: dict[str, tuple[str, type[Adapter]]] = {
    "dataset": ("bench.datasets", interfaces.Dataset),
    "generator": ("bench.datasets.synthetic", interfaces.Generator),
    "encoder": ("bench.methods.encoders", interfaces.Encoder),
    "reducer": ("bench.methods.reducers", interfaces.Reducer),
    "pair_model": ("bench.methods.pair_models", interfaces.PairModel),
    "clusterer": ("bench.methods.clusterers", interfaces.Clusterer),
    "classifier": ("bench.methods.classifiers", interfaces.Classifier),
}
"""Kind -> (package that holds its files, base class)."""


class AdapterError(LookupError):
    """An adapter that does not exist or cannot be loaded; says which, why, and the likely fix."""


@dataclass(frozen=True)
class Entry:
    """One adapter that could be used."""

    kind: str
    name: str
    origin: str
    """"built in", or the distribution that declares it."""
    summary: str


def kind_of(base: type[Adapter]) -> str:
    """Return the kind whose base class an adapter class derives from."""
    return next(kind for kind, (_, parent) in KINDS.items() if issubclass(base, parent))


def names(kind: str) -> list[str]:
    """Return the names of all adapters of a kind, sorted; built-in ones and entry points."""
    return sorted({*_files(kind), *_entry_points(kind)})


def entries(kind: str) -> list[Entry]:
    """Return all adapters of a kind with a one-line summary; imports none of them."""
    own = [Entry(kind, name, "built in", _summary(path)) for name, path in sorted(_files(kind).items())]
    foreign = [
        Entry(kind, name, ep.dist.name if ep.dist else "?", ep.value)
        for name, ep in sorted(_entry_points(kind).items())
    ]
    return own + foreign


def load(kind: str, use: str, folder: Path | None = None) -> type[Adapter]:
    """Return the adapter class that `use` names.

    Parameters
    ----------
    kind : one of `KINDS`.
    use : a name; or a path that ends in .py, relative to `folder` (that of the suite file).

    Raises
    ------
    AdapterError : unknown name (with the nearest ones), or a file that cannot be imported
        or does not hold exactly one adapter of this kind.
    """
    if use.endswith(".py"):
        try:
            path = ((folder or Path()) / Path(use).expanduser()).resolve()
            code = path.read_bytes()
        except FileNotFoundError:
            raise AdapterError(f"{kind} {use!r}: there is no file {path}") from None
        except (OSError, ValueError, RuntimeError) as e:  # unreadable, a null character, no such home
            raise AdapterError(f"{kind} {use!r} cannot be read: {e}") from None
        return _load_file(kind, use, path, code)
    return _load_name(kind, use)


def identity(cls: type[Adapter]) -> str:
    """Name the code of an adapter for keys: name and declared version; a user's file by its content."""
    content = getattr(cls, "content_hash", "")
    if content:
        return f"file:{content}@{cls.version}"  # the version may be inherited from an adapter elsewhere
    if is_built_in(cls):
        return f"{cls.use}@{cls.version}"
    return f"{cls.__module__}:{cls.__qualname__}@{cls.version}"  # two packages may use one name


def is_built_in(cls: type[Adapter]) -> bool:
    """Say whether an adapter ships with this package."""
    return cls.__module__.startswith("bench.")


@functools.cache
def _load_name(kind: str, use: str) -> type[Adapter]:
    package, _ = KINDS[kind]
    if use in _files(kind):
        return _only_adapter(kind, use, importlib.import_module(f"{package}.{use}"))
    entry = _entry_points(kind).get(use)
    if entry is None:
        raise AdapterError(f"no {kind} named {use!r}; {suggest(use, names(kind))}")
    try:
        cls = entry.load()
    except Exception as e:  # a third party's import may raise anything; the sentence says which
        raise AdapterError(f"{kind} {use!r} ({entry.value}) cannot be imported: {_brief(e)}") from e
    if not (isinstance(cls, type) and issubclass(cls, KINDS[kind][1])):
        raise AdapterError(f"{kind} {use!r}: {entry.value} is no {KINDS[kind][1].__name__}")
    cls.use = use
    return cls


def _load_file(kind: str, use: str, path: Path, code: bytes) -> type[Adapter]:
    digest = hashlib.blake2b(code, digest_size=16).hexdigest()
    module_name = f"cutjoin_local_{digest}"
    module = sys.modules.get(module_name)
    if module is None:
        module = ModuleType(module_name)
        module.__file__ = str(path)
        sys.modules[module_name] = module  # pydantic looks annotations up there
        try:
            # An import could run the cached byte code of an older text; this runs what was hashed.
            exec(compile(code, path, "exec", dont_inherit=True), vars(module))  # noqa: S102  # the user's own code
        except (Exception, SystemExit) as e:  # a user's file may raise anything; the sentence says which
            del sys.modules[module_name]
            raise AdapterError(f"{kind} {use!r}: {path} cannot be imported: {_brief(e)}") from e
    cls = _only_adapter(kind, use, module)
    cls.content_hash = digest  # type: ignore[attr-defined]  # only files outside the package have one
    return cls


def _only_adapter(kind: str, use: str, module: ModuleType) -> type[Adapter]:
    base = KINDS[kind][1]
    found = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]
    if len(found) != 1:
        listed = ", ".join(c.__name__ for c in found) or "none"
        raise AdapterError(f"{kind} {use!r}: a file holds exactly one public {base.__name__}; found {listed}")
    found[0].use = use
    return found[0]


@functools.cache
def _files(kind: str) -> dict[str, Path]:
    spec = importlib.util.find_spec(KINDS[kind][0])
    folders = spec.submodule_search_locations if spec else None
    paths = (p for folder in folders or [] for p in Path(folder).glob("*.py"))
    return {p.stem: p for p in paths if not p.stem.startswith("_")}


@functools.cache
def _entry_points(kind: str) -> dict[str, md.EntryPoint]:
    import importlib.metadata as md

    return {ep.name: ep for ep in md.entry_points(group=f"cutjoin.{kind}s")}


def _summary(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.split("\n", 1)[0]


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
