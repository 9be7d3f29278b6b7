"""Names of suites: those that ship with the package, and what the results of one are called."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

SUFFIXES = (".yaml", ".yml")


@functools.cache
def shipped() -> dict[str, Path]:
    """Return the suites that ship with the package, by name."""
    spec = importlib.util.find_spec("bench.suites")
    folders = (spec.submodule_search_locations if spec else None) or []
    return {p.stem: p for folder in folders for p in sorted(Path(folder).glob("*.yaml"))}


def names_a_file(name: str) -> bool:
    """Say whether a suite is named by its file, and not by the name of a shipped one."""
    return name.endswith(SUFFIXES)


def results_name(suite: str, profile: str | None = None) -> str:
    """Return what the results of a suite are called, and their folder: `stem` or `stem-profile`.

    `suite` is its name or its file.
    """
    stem = Path(suite).stem if names_a_file(suite) else suite
    return f"{stem}-{profile}" if profile else stem


def identity(file: Path) -> str:
    """Return what tells a suite from others of its name: its file, or that it ships or is a dict."""
    found = file.resolve()
    if any(found == path.resolve() for path in shipped().values()):
        return f"shipped: {found.stem}"
    return str(found) if found.is_file() else "a dict"


def arguments(suite: str, profile: str | None = None) -> tuple[str, ...]:
    """Return the arguments of `bench run` that select a suite.

    `suite` is its name or file; or, without a profile, what its results are called.
    """
    if profile is not None:
        return (*arguments(suite), "--profile", profile)
    known = shipped()
    if suite in known or names_a_file(suite):
        return (suite,)
    for stem in sorted(known, key=len, reverse=True):
        prefix = results_name(stem, "x").removesuffix("x")
        if suite.startswith(prefix):
            return (stem, "--profile", suite.removeprefix(prefix))
    return (f"{suite}.yaml",)
