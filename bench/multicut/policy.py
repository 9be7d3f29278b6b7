"""Which solver runs, and for how long: the policy of `auto`. Imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from bench.errors import UsageError

SolverName = Literal["auto", "greedy", "exact", "gurobi", "highs"]
SOLVERS: tuple[str, ...] = get_args(SolverName)
AUTO_NODES = 300
"""`auto` is exact for up to this many nodes, the limit of the published system, and greedy beyond."""
AUTO_SECONDS = 60.0
"""`auto` takes the best partition found in this time, unless another limit is given."""


@dataclass(frozen=True)
class Policy:
    """What `solve` does with an instance."""

    greedy: bool
    """Greedy contraction and Kernighan-Lin, which prove nothing; else the exact solver."""
    backend: Literal["auto", "gurobi", "highs"]
    """Of the exact solver; `auto`: Gurobi where a full licence is found, else HiGHS."""
    time_limit: float
    """Of the exact solver, in seconds; infinite for none."""


def policy(
    n: int, solver: str = "auto", *, time_limit: float | None = None, certificate: bool = False
) -> Policy:
    """Decide how an instance of `n` nodes is solved.

    Parameters
    ----------
    solver : `greedy`; `exact`, or the name of its backend; or `auto`: exact up to `AUTO_NODES`, else greedy.
    time_limit : seconds, `math.inf` for no limit. None: `AUTO_SECONDS` for `auto`, no limit for the others.
    certificate : whether a proof of the bound is asked for.

    Raises
    ------
    UsageError : no such solver, or a time limit or certificate of the greedy solver.
    """
    if solver not in SOLVERS:
        raise UsageError(f"solver {solver!r} is not one of {', '.join(SOLVERS)}")
    greedy = solver == "greedy" or (solver == "auto" and n > AUTO_NODES)
    if greedy and certificate:
        raise UsageError("no certificate: the greedy solver proves nothing; use solver exact")
    if solver == "greedy" and time_limit is not None:
        raise UsageError("no time limit: the greedy solver cannot be stopped half-way; use solver exact")
    if time_limit is None:
        time_limit = AUTO_SECONDS if solver == "auto" else math.inf
    backends: dict[str, Literal["gurobi", "highs"]] = {"gurobi": "gurobi", "highs": "highs"}
    return Policy(greedy, backends.get(solver, "auto"), time_limit)
