"""Extension points. One file = one plug-in = one name, and adding one edits no list.

Built-in plug-ins are the files of one package. A user's is a Python file, named where it is used
(`./my_encoder.py`), or an entry point of an installed package (group `cutjoin.encoders`, etc.).
Listing names imports nothing.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from bench.errors import AdapterError
from bench.util.text import suggest

if TYPE_CHECKING:
    import importlib.metadata as md

T = TypeVar("T")

LOCAL = "cutjoin_local_"
"""Prefix of the module names of users' files; the digest of the content follows."""


@dataclass(frozen=True)
class Entry:
    """One available plug-in."""

    kind: str
    name: str
    origin: str
    """"built in", or the distribution that declares it."""
    summary: str


@dataclass(frozen=True)
class Resolved(Generic[T]):
    """What a name or a file refers to."""

    value: T
    origin: str
    """"built in", the `module:name` of an entry point, or "file"."""
    content_hash: str = ""
    """Only for a user's file."""


class Socket(Generic[T]):
    """Finds the plug-ins of one kind.

    Parameters
    ----------
    kind : one word, e.g. "encoder"; entry points are in the group `cutjoin.{kind}s`.
    package : dotted name of the package of built-in ones; "" if they are found otherwise.
    what : name of the type that a file must define, for messages.
    fits : `fits(value, module name)` returns whether a module's public name is a plug-in of this kind.
    """

    def __init__(self, kind: str, package: str, what: str, fits: Callable[[object, str], bool]) -> None:
        self.kind, self.package, self._what, self._fits = kind, package, what, fits

    def names(self) -> list[str]:
        """Return all names, sorted: built-in and from entry points."""
        return sorted({*_files(self.package), *_entry_points(self.kind)})

    def entries(self) -> list[Entry]:
        """Return all named plug-ins with a one-line summary; imports none of them."""
        files = sorted(_files(self.package).items())
        own = [Entry(self.kind, name, "built in", _summary(path)) for name, path in files]
        foreign = [
            Entry(self.kind, name, ep.dist.name if ep.dist else "?", ep.value)
            for name, ep in sorted(_entry_points(self.kind).items())
        ]
        return own + foreign

    def load(self, use: str, folder: Path | None = None) -> Resolved[T]:
        """Return the plug-in that `use` names.

        Parameters
        ----------
        use : a name; or a path that ends in .py, relative to `folder` (that of the suite file).

        Raises
        ------
        AdapterError : unknown name (with the nearest ones), or a file that cannot be imported
            or does not define exactly one plug-in of this kind.
        """
        if use.endswith(".py"):
            return self._from_file(use, folder or Path())
        if use in _files(self.package):
            module = importlib.import_module(f"{self.package}.{use}")
            return Resolved(self._only(use, module), "built in")
        return self._from_entry_point(use)

    def _from_entry_point(self, use: str) -> Resolved[T]:
        entry = _entry_points(self.kind).get(use)
        if entry is None:
            raise AdapterError(f"no {self.kind} named {use!r}; {suggest(use, self.names())}")
        try:
            value = entry.load()
        except Exception as e:  # third-party code may raise anything; the message names it
            raise AdapterError(f"{self.kind} {use!r} ({entry.value}) cannot be imported: {_brief(e)}") from e
        if not self._fits(value, getattr(value, "__module__", "")):
            raise AdapterError(f"{self.kind} {use!r}: {entry.value} is not of type {self._what}")
        return Resolved(cast(T, value), entry.value)

    def _from_file(self, use: str, folder: Path) -> Resolved[T]:
        try:
            path = (folder / Path(use).expanduser()).resolve()
            code = path.read_bytes()
        except FileNotFoundError:
            raise AdapterError(f"{self.kind} {use!r}: there is no file {path}") from None
        except (OSError, ValueError, RuntimeError) as e:  # unreadable, a null character, no such home
            raise AdapterError(f"{self.kind} {use!r} cannot be read: {e}") from None
        digest = hashlib.blake2b(code, digest_size=16).hexdigest()
        try:
            module = _run_file(path, code, digest)
        except (Exception, SystemExit) as e:  # a user's file may raise anything; the message names it
            raise AdapterError(f"{self.kind} {use!r}: {path} cannot be imported: {_brief(e)}") from e
        return Resolved(self._only(use, module), "file", digest)

    def _only(self, use: str, module: ModuleType) -> T:
        found = {
            name: value
            for name, value in vars(module).items()
            if not name.startswith("_") and self._fits(value, module.__name__)
        }
        if len(found) != 1:
            listed = ", ".join(found) or "none"
            raise AdapterError(
                f"{self.kind} {use!r}: a file must define exactly one public {self._what}; found {listed}"
            )
        return cast(T, next(iter(found.values())))


def subclasses_of(base: type) -> Callable[[object, str], bool]:
    """Return a `fits` for classes: those that a module defines, not those it imports."""
    return lambda value, module: (
        isinstance(value, type) and issubclass(value, base) and value.__module__ == module
    )


def objects_of(base: type) -> Callable[[object, str], bool]:
    """Return a `fits` for instances of one class."""
    return lambda value, _: isinstance(value, base)


def forget() -> None:
    """Clear the caches of files and entry points, e.g. after a package was installed."""
    _files.cache_clear()
    _entry_points.cache_clear()


def paths_of(content_hash: str) -> list[Path]:
    """Return the files with this content that were loaded, the latest first."""
    return list(reversed(_PATHS.get(content_hash, {})))


_PATHS: dict[str, dict[Path, None]] = {}
_LOADING = threading.RLock()
"""Held while a user's file runs, so that no other thread finds its module half made."""


def _run_file(path: Path, code: bytes, digest: str) -> ModuleType:
    with _LOADING:
        known = _PATHS.setdefault(digest, {})
        known.pop(path, None)
        known[path] = None
        return _module_of(path, code, f"{LOCAL}{digest}")


def _module_of(path: Path, code: bytes, name: str) -> ModuleType:
    if name not in sys.modules:
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module  # pydantic resolves annotations there
        try:
            # An import could run stale cached bytecode; this runs exactly what was hashed.
            exec(compile(code, path, "exec", dont_inherit=True), vars(module))  # noqa: S102  # the user's own code
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


@functools.cache
def _files(package: str) -> dict[str, Path]:
    spec = importlib.util.find_spec(package) if package else None
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
