"""`bench multicut`: solve an instance from a file, and check a certificate."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UsageError
from bench.multicut import solve
from bench.multicut.costs import thresholds_to_shifts
from bench.multicut.instance import Instance
from bench.multicut.io import hint_of_probabilities, read_instance
from bench.multicut.policy import SOLVERS
from bench.multicut.result import Solution
from bench.util.text import suggest


@dataclass(frozen=True)
class Reading:
    """How an instance is to be read from its file; see `bench.multicut.io.read_instance`."""

    probabilities: bool
    symmetrise: bool
    prior: float | None

    def read(self, file: Path) -> Instance:
        """Read the instance."""
        return read_instance(
            file, probabilities=self.probabilities, symmetrise=self.symmetrise, prior=self.prior
        )


@dataclass(frozen=True)
class Output:
    """Where the answer goes."""

    labels: Path | None
    """File for the labels: (n,), or (thresholds, n) of a sweep."""
    certificate: Path | None
    """File for a proof of the bound."""
    as_json: bool


def solve_file(
    file: Path,
    reading: Reading,
    output: Output,
    *,
    solver: str,
    time_limit: float | None,
    thresholds: str | None,
) -> None:
    """Solve one instance, or one per threshold, and print what was found and proven.

    `thresholds`: join probabilities, separated by commas, at which a pair is indifferent.
    Raises `UsageError` for options that do not go together.
    """
    out, certificate, as_json = output.labels, output.certificate, output.as_json
    if solver not in SOLVERS:
        raise UsageError(f"--solver: no solver named {solver!r}; {suggest(solver, list(SOLVERS))}")
    if thresholds is not None and certificate is not None:
        raise UsageError("--certificate: it proves one bound; leave --thresholds out")
    instance = reading.read(file)
    if thresholds is None and (hint := hint_of_probabilities(instance)) is not None:
        print(f"{file}: {hint}", file=sys.stderr)
    if thresholds is not None:
        values = _numbers(thresholds)
        instances = (instance.shifted(float(shift)) for shift in thresholds_to_shifts(values))
        found = [solve(each, solver, time_limit=time_limit) for each in instances]
        if out is not None:
            np.save(out, np.stack([solution.labels for solution in found]), allow_pickle=False)
        rows = [{"threshold": t} | _answer(solution) for t, solution in zip(values, found, strict=True)]
        print(json.dumps(rows) if as_json else _table(rows))
        if out is not None and not as_json:
            print(f"labels: {out}")
        return
    solution = solve(instance, solver, time_limit=time_limit, certificate=certificate is not None)
    answer = _answer(solution)
    if certificate is not None and solution.certificate is not None:
        solution.certificate.save(certificate)
        answer["certified_upper_bound"] = float(solution.certificate.upper_bound)
    answer["optimal_by"] = _optimal_by(solution)
    if out is not None:
        np.save(out, solution.labels, allow_pickle=False)
    if as_json:
        print(json.dumps(answer))
        return
    for key in ("nodes", "clusters", "objective", "upper_bound", "gap", "status", "solver", "seconds"):
        value = answer[key]
        if key == "status" and solution.status == "optimal":
            value = f"optimal, by the {answer['optimal_by']}"
        print(f"{key.replace('_', ' ') + ':':<13}{f'{value:.10g}' if isinstance(value, float) else value}")
    for key, path in (("labels", out), ("certificate", certificate)):
        if path is not None:
            print(f"{key + ':':<13}{path}")
    if solution.certificate is not None:
        print(_proven(solution))


def _optimal_by(solution: Solution) -> str | None:
    """Say what an optimal objective rests on: a proof that anyone can check, or the solver's own search."""
    if solution.status != "optimal":
        return None
    return "certificate" if solution.certified else "solver"


def _proven(solution: Solution) -> str:
    """Say what the certificate proves, and why it may be less than the solver found."""
    assert solution.certificate is not None
    bound = float(solution.certificate.upper_bound)
    text = f"proven:      no partition has an objective above {bound:.10g}"
    if solution.status != "optimal" or solution.certified:
        return text
    return (
        f"{text}, {bound - solution.objective:.3g} above the one found: the certificate holds conflicted "
        "cycles alone, while the solver's bound also rests on other inequalities and cases"
    )


def verify_file(file: Path, certificate: Path, reading: Reading, *, as_json: bool) -> None:
    """Check a certificate against its instance and print the bound that it proves."""
    from bench.multicut.certificate import Certificate, verify

    instance = reading.read(file)
    proof = Certificate.load(certificate)
    bound = verify(proof, instance)
    if as_json:
        print(json.dumps({"verified": True, "upper_bound": bound, "cycles": len(proof.weight)}))
    else:
        print(f"verified: no partition has an objective above {bound:.10g} ({len(proof.weight)} cycles)")


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--thresholds: {text!r} are not numbers separated by commas, e.g. 0.1,0.3,0.5"
        ) from None


def _table(rows: list[dict[str, Any]]) -> str:
    """One line per threshold; the objectives are those of the shifted costs."""
    columns = {
        "threshold": "g",
        "clusters": "d",
        "objective": ".10g",
        "gap": ".3g",
        "status": "",
        "seconds": ".3g",
    }
    cells = [list(columns), *([format(row[c], form) for c, form in columns.items()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.rjust(w) for c, w in zip(line, widths, strict=True)) for line in cells)


def _answer(solution: Solution) -> dict[str, Any]:
    return {
        "nodes": len(solution.labels),
        "clusters": int(solution.labels.max()) + 1,
        "objective": float(solution.objective),
        "lower_bound": float(solution.lower_bound),
        "upper_bound": float(solution.upper_bound),
        "gap": solution.gap,
        "status": solution.status,
        "solver": solution.solver,
        "seconds": solution.seconds["total"],
        "phases": solution.seconds,
        "cuts": solution.cuts,
    }
