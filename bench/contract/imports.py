"""What a Python file imports, and what importing it does."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMMON = frozenset({"numpy", "pandas", "cv2"})
"""Heavy libraries that the base classes of users' adapters load themselves, so that a file may do so too."""
_NAMES = """
torch torchvision timm transformers lightning lightning_fabric cellpose sklearn umap hdbscan fast_hdbscan
pynndescent faiss xgboost numba cupy jax tensorflow highspy gurobipy skimage
"""
_LISTED = frozenset(_NAMES.split())
"""Those whose version bears on a result, or which want a GPU: `libraries` must list them."""
HEAVY = COMMON | _LISTED | {"scipy", "matplotlib", "h5py"}
"""Libraries that take long to import."""
_PUBLIC = "cutjoin"
SLOW_S = 3.0
"""Seconds of computing that an import may take."""


@dataclass(frozen=True)
class Imported:
    """What happened when a file was imported in a fresh process."""

    seconds: float
    loaded: list[str]
    """Heavy libraries that were loaded."""
    effects: list[str]
    """What it did beside: each a sentence."""


@functools.cache
def environment() -> dict[str, str]:
    """Return the environment at the first call, which comes before anything of a user's is imported."""
    return dict(os.environ)


def on_import(kind: str, *targets: str) -> Imported:
    """Import adapters in a fresh process: paths of files, or dotted names of modules.

    Raises `ImportError` with the last line of what the process wrote if that fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-P", "-m", "bench.contract.fresh", kind, *targets]
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise ImportError((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
        *printed, last = done.stdout.splitlines()
        found = json.loads(last)
        effects = list(found["effects"])
        if text := " ".join([*printed, done.stderr]).strip():
            effects.insert(0, f"it prints {text[:60]!r}")
        if left := sorted(p.name for p in Path(folder).iterdir()):
            effects.append(f"it writes files: {', '.join(left[:3])}")
    heavy = sorted(HEAVY & {name.partition(".")[0] for name in found["loaded"]})
    return Imported(found["seconds"], heavy, effects)


def used_libraries(path: str) -> set[str]:
    """Return the libraries that a file imports anywhere, or modules of this package that it imports do.

    Only of those that `libraries` must list. Imports for the type checker do not count, and of this package's
    modules only those count that run when they are imported.
    """
    names = set(_imports(Path(path), everywhere=True))
    seen: set[str] = set()
    while left := {n for n in names if n.partition(".")[0] in ("bench", _PUBLIC)} - seen:
        seen |= left
        for module in left:
            names |= {home} if (home := _home(module)) else set()
            if file := _file_of(module):
                names |= set(_imports(file, everywhere=False))
    return {*_LISTED} & {name.partition(".")[0] for name in names}


def _home(name: str) -> str | None:
    """Return the module that a name of the public package is loaded from; None if it is no such name."""
    module, _, attribute = name.rpartition(".")
    file = _file_of(module) if module.partition(".")[0] == _PUBLIC else None
    return _homes(file).get(attribute) if file is not None else None


@functools.cache
def _homes(path: Path) -> dict[str, str]:
    """Return name -> module for what a module of the public package declares to the type checker."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    imports = [n for block in blocks for n in block.body if isinstance(n, ast.ImportFrom)]
    return {alias.name: n.module for n in imports if n.module for alias in n.names}


@functools.cache
def _file_of(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, AttributeError):  # a name in a module, not a module
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None


@functools.cache
def _imports(path: Path, *, everywhere: bool) -> tuple[str, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(name for node in _nodes(tree, everywhere) for name in _names(node))


def _nodes(tree: ast.AST, everywhere: bool) -> Iterator[ast.AST]:
    """Yield the nodes that run: not those for the type checker; those of functions if `everywhere`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        if everywhere or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _nodes(node, everywhere)


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the modules, and names in them, that an import names, or `kit.train` as `cutjoin.kit.train`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Attribute):
        text = ast.unparse(node)
        if text.startswith((f"{_PUBLIC}.", "kit.")):
            yield f"{_PUBLIC}.{text.removeprefix(f'{_PUBLIC}.')}"
