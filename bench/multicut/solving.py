"""`solve`: costs in, clusters and what is proven about them out, by whichever solver suits the size."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from bench.multicut.instance import Instance, as_instance
from bench.multicut.policy import policy

if TYPE_CHECKING:
    from bench.multicut.result import Solution


def solve(
    costs: Instance | ArrayLike,
    solver: str = "auto",
    *,
    time_limit: float | None = None,
    seed: int = 0,
    certificate: bool = False,
    progress: Callable[[float, float], None] | None = None,
) -> Solution:
    """Find a partition with a large, or provably the largest, sum of costs within clusters.

    Parameters
    ----------
    costs : `DenseCosts`, `SparseCosts`, or a symmetric matrix of finite costs, shape (n, n)
        Log-odds of a join; positive costs favour a join. The diagonal is ignored.
    solver : `greedy`; `exact`, with Gurobi where a full licence is found and HiGHS otherwise; `gurobi` or
        `highs`; or `auto`: exact up to 300 nodes, greedy beyond.
    time_limit : seconds of the exact solver, `math.inf` for none. None: 60 s for `auto`, no limit for others.
    seed : of the exact solver. Without a time limit equal input gives equal output.
    certificate : also return a proof of an upper bound that `certificate.verify` checks.
    progress : called with the objective and the upper bound whenever the exact solver may have changed them.

    Raises
    ------
    DataError : costs that are not square, symmetric and finite, or a licence that refuses the size.
    UsageError : no such solver, or a time limit or certificate of the greedy solver.
    """
    instance = as_instance(costs)
    chosen = policy(instance.n, solver, time_limit=time_limit, certificate=certificate)
    if chosen.greedy:
        return solve_greedily(instance)
    from bench.multicut import exact

    return exact.solve(
        instance,
        solver=chosen.backend,
        time_limit=chosen.time_limit,
        seed=seed,
        certificate=certificate,
        progress=progress,
    )


def solve_greedily(instance: Instance) -> Solution:
    """Contract greedily and refine; the upper bound is the sum of the positive costs."""
    from bench.multicut.result import Solution

    start = time.perf_counter()
    labels = instance.greedy()
    objective, bound = instance.objective(labels), instance.positive_sum()
    return Solution(
        labels=labels,
        objective=objective,
        upper_bound=bound,
        disagreement=bound - objective,
        status="greedy",
        solver="greedy",
        seconds={"total": time.perf_counter() - start},
        cuts=0,
        certificate=None,
    )
