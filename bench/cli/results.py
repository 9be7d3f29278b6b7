"""Results of a suite, found by how the user names the suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.suite.names import identity, names_a_file, results_name

if TYPE_CHECKING:
    from bench.cli.options.groups import SuiteRef
    from bench.records.results import PlanOnDisk, Results


def opened(suite: SuiteRef, base: Path) -> tuple[Results, PlanOnDisk]:
    """Open the results of a suite. Raises `UsageError` if it has not run, or another of its name has."""
    from bench.errors import UsageError
    from bench.records.results import Results
    from bench.util.text import suggest

    results = Results(base, results_name(suite.name, suite.profile))
    refuse_other_suite(suite, base)
    try:
        return results, results.read_plan()
    except FileNotFoundError:
        known = sorted(p.parent.name for p in base.glob("*/plan.json"))
        hint = suggest(results.suite, known) if known else f"nothing has run into {base} yet"
        raise UsageError(f"no results of {results.suite!r} in {base}; {hint}") from None


def refuse_other_suite(suite: SuiteRef, base: Path) -> None:
    """Raise `UsageError` if results are those of another suite file of the same name.

    Who names results by a bare name means whatever has run under it.
    """
    file = Path(suite.name)
    if names_a_file(suite.name) and file.is_file():
        from bench.records.results import Results

        Results(base, results_name(suite.name, suite.profile)).refuse_other(identity(file))
