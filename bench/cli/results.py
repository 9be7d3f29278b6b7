"""Results of a suite, found by how the user names the suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.suite.names import results_name

if TYPE_CHECKING:
    from bench.cli.options.groups import SuiteRef
    from bench.records.results import PlanOnDisk, Results


def opened(suite: SuiteRef, base: Path) -> tuple[Results, PlanOnDisk]:
    """Open the results of a suite. Raises `UsageError` if it has not run."""
    from bench.errors import UsageError
    from bench.records.results import Results
    from bench.util.text import suggest

    results = Results(base, results_name(suite.name, suite.profile))
    try:
        return results, results.read_plan()
    except FileNotFoundError:
        known = sorted(p.parent.name for p in base.glob("*/plan.json"))
        hint = suggest(results.suite, known) if known else f"nothing has run into {base} yet"
        raise UsageError(f"no results of {results.suite!r} in {base}; {hint}") from None
