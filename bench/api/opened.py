"""Opens results by a finished run, a suite's folder, or a name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from bench.api.folders import default_results, default_store
from bench.errors import UsageError
from bench.records.results import Results
from bench.records.store import Store
from bench.suite.names import identity, names_a_file, results_name
from bench.suite.schema import Suite
from bench.util.text import suggest

Where: TypeAlias = Suite | str | os.PathLike[str]
"""A suite; its results folder, as a path or as what `run` returned; or the name of a suite."""


def open_results(where: Where, profile: str | None = None, results: str | Path | None = None) -> Results:
    """Open the results of one suite. Raises `UsageError` if it has not run there, or another of its name."""
    base = Path(results) if results is not None else default_results()
    if isinstance(where, Suite):
        found = Results(base, where.name)
    elif (Path(where) / "plan.json").is_file():
        folder = Path(os.path.abspath(where))  # noqa: PTH100  # "." and ".." have no name, a link has its own
        return Results(folder.parent, folder.name)
    else:
        found = Results(base, results_name(str(where), profile))
    if not (found.folder / "plan.json").is_file():
        known = sorted(p.parent.name for p in base.glob("*/plan.json"))
        hint = suggest(found.suite, known) if known else f"nothing has run into {base} yet"
        raise UsageError(f"no results of {found.suite!r} in {base}; {hint}")
    file = where.file if isinstance(where, Suite) else Path(where)
    if isinstance(where, Suite) or (names_a_file(str(where)) and file.is_file()):
        found.refuse_other(identity(file))
    return found


def suites_in(where: Where) -> list[Results]:
    """Open the results of one suite, or of all suites in a folder that holds one folder per suite."""
    if not isinstance(where, Suite) and not (Path(where) / "plan.json").is_file():
        found = sorted(Path(where).glob("*/plan.json"))
        if found:
            return [Results(Path(where), p.parent.name) for p in found]
    return [open_results(where)]


def store_of(where: Where | None, store: str | Path | None = None) -> Store:
    """Open the store at `store`; by default that of the finished run, or the user's."""
    used = getattr(where, "store", None)  # of a `FinishedRun`, which this module cannot import
    chosen = store if store is not None else used
    return Store(Path(chosen) if chosen is not None else default_store())
