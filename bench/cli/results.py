"""Results of a suite, found by how the user names the suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.records.results import PlanOnDisk, Results


def folder_name(name: str, profile: str | None) -> str:
    """Return the name of a suite's folder of results, from its own name or file."""
    stem = Path(name).stem if name.endswith((".yaml", ".yml")) else name
    return f"{stem}-{profile}" if profile else stem


def opened(name: str, profile: str | None, base: Path) -> tuple[Results, PlanOnDisk]:
    """Open the results of a suite by its name or file. Raises `DataError` if it has not run."""
    from bench.errors import DataError
    from bench.records.results import Results
    from bench.util.text import suggest

    results = Results(base, folder_name(name, profile))
    try:
        return results, results.read_plan()
    except FileNotFoundError:
        known = sorted(p.parent.name for p in base.glob("*/plan.json"))
        hint = suggest(results.suite, known) if known else f"nothing has run into {base} yet"
        raise DataError(f"no results of {results.suite!r} in {base}; {hint}") from None
