"""`bench multicut`: solve an instance from a file, and check a certificate."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import DataError
from bench.multicut.costs import thresholds_to_shifts
from bench.multicut.io import Instance, read_instance
from bench.util.text import suggest

SOLVERS = ("auto", "greedy", "exact", "gurobi", "highs")
AUTO_LIMIT = 300
"""`auto` is exact for up to so many nodes, the limit of the published system."""
AUTO_SECONDS = 60.0
"""`auto` takes the best partition found in this time, unless another limit is given."""


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


def solve_file(
    file: Path,
    reading: Reading,
    *,
    solver: str,
    time_limit: float | None,
    out: Path | None,
    certificate: Path | None,
    thresholds: str | None,
    as_json: bool,
) -> None:
    """Solve one instance, or one per threshold, and print what was found and proven.

    `thresholds`: join probabilities, separated by commas, at which a pair is to be indifferent. Labels
    written to `out` have shape (n,), or (thresholds, n). Raises `DataError` for options without meaning.
    """
    if solver not in SOLVERS:
        raise DataError(f"--solver: no solver named {solver!r}; {suggest(solver, list(SOLVERS))}")
    instance = reading.read(file)
    greedy = solver == "greedy" or (solver == "auto" and instance.n > AUTO_LIMIT)
    if greedy and certificate is not None:
        raise DataError("--certificate: the greedy solver proves nothing; use --solver exact")
    if greedy and time_limit is not None and solver == "greedy":
        raise DataError("--time-limit: the greedy solver cannot be stopped half-way; use --solver exact")
    if solver == "auto" and time_limit is None:
        time_limit = AUTO_SECONDS
    if thresholds is not None:
        if certificate is not None:
            raise DataError("--certificate: it proves one bound; leave --thresholds out")
        values = _numbers(thresholds)
        instances = (instance.shifted(float(shift)) for shift in thresholds_to_shifts(values))
        found = [_greedy(i) if greedy else _exact(i, solver, time_limit, None) for i in instances]
        if out is not None:
            np.save(out, np.stack([labels for labels, _ in found]), allow_pickle=False)
        rows = [{"threshold": t} | answer for t, (_, answer) in zip(values, found, strict=True)]
        print(json.dumps(rows) if as_json else _table(rows))
        if out is not None and not as_json:
            print(f"labels: {out}")
        return
    labels, answer = _greedy(instance) if greedy else _exact(instance, solver, time_limit, certificate)
    if out is not None:
        np.save(out, labels, allow_pickle=False)
    if as_json:
        print(json.dumps(answer))
        return
    for key in ("nodes", "clusters", "objective", "upper_bound", "gap", "status", "solver", "seconds"):
        value = answer[key]
        print(f"{key.replace('_', ' ') + ':':<13}{f'{value:.10g}' if isinstance(value, float) else value}")
    for key, path in (("labels", out), ("certificate", certificate)):
        if path is not None:
            print(f"{key + ':':<13}{path}")


def verify_file(file: Path, certificate: Path, reading: Reading, *, as_json: bool) -> None:
    """Check a certificate against its instance and print the bound that it proves."""
    from bench.multicut.certificate import Certificate, verify, verify_sparse

    instance = reading.read(file)
    proof = Certificate.load(certificate)
    if instance.matrix is not None:
        bound = verify(proof, instance.matrix)
    else:
        bound = verify_sparse(proof, instance.n, *_edges(instance))
    if as_json:
        print(json.dumps({"verified": True, "upper_bound": bound, "cycles": len(proof.weight)}))
    else:
        print(f"verified: no partition has an objective above {bound:.10g} ({len(proof.weight)} cycles)")


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise DataError(
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


def _greedy(instance: Instance) -> tuple[Any, dict[str, Any]]:
    from bench.multicut import greedy_dense, greedy_sparse, objective_dense, objective_sparse

    start = time.perf_counter()
    if instance.matrix is not None:
        labels = greedy_dense(instance.matrix)
        objective = objective_dense(instance.matrix, labels)
        bound = float(np.triu(np.maximum(instance.matrix, 0), 1).sum(dtype=np.float64))
    else:
        i, j, cost = _edges(instance)
        labels = greedy_sparse(instance.n, i, j, cost)
        objective = objective_sparse(i, j, cost, labels)
        bound = float(np.maximum(cost, 0).sum(dtype=np.float64))
    seconds = time.perf_counter() - start
    return labels, _answer(instance, labels, objective, bound, "greedy", "greedy", {"total": seconds}, 0)


def _exact(
    instance: Instance, solver: str, time_limit: float | None, certificate: Path | None
) -> tuple[Any, dict[str, Any]]:
    from bench.multicut.exact import solve, solve_sparse

    options: dict[str, Any] = {
        "solver": solver if solver in ("gurobi", "highs") else "auto",
        "time_limit": time_limit,
        "certificate": certificate is not None,
    }
    if instance.matrix is not None:
        found = solve(instance.matrix, **options)
    else:
        found = solve_sparse(instance.n, *_edges(instance), **options)
    answer = _answer(
        instance,
        found.labels,
        found.objective,
        found.upper_bound,
        found.status,
        found.solver,
        found.seconds,
        found.cuts,
    )
    if certificate is not None and found.certificate is not None:
        found.certificate.save(certificate)
        answer["certified_upper_bound"] = found.certificate.upper_bound
    return found.labels, answer


def _answer(
    instance: Instance,
    labels: Any,
    objective: float,
    bound: float,
    status: str,
    solver: str,
    seconds: dict[str, float],
    cuts: int,
) -> dict[str, Any]:
    difference = max(0.0, bound - objective)
    return {
        "nodes": instance.n,
        "clusters": int(labels.max()) + 1,
        "objective": float(objective),
        "lower_bound": float(objective),
        "upper_bound": float(bound),
        "gap": difference / max(abs(objective), 1e-12) if difference else 0.0,
        "status": status,
        "solver": solver,
        "seconds": seconds["total"],
        "phases": seconds,
        "cuts": cuts,
    }


def _edges(instance: Instance) -> tuple[Any, Any, Any]:
    return instance.i, instance.j, instance.cost
