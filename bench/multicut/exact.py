"""Exact multicut: a proven optimum, or the best partition and its gap when the time is over.

Bounds come from conflicted cycles (`packing`, then `relaxation`), partitions from the greedy solvers
and from the relaxation. What the gap between both forces is contracted (`fixing`), the independent
parts that remain are solved in the same way, and an integer program decides where nothing is forced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.multicut.backends import Solver, choose
from bench.multicut.certificate import Certificate, certify
from bench.multicut.fixing import Part, fit, forced, split
from bench.multicut.packing import Cycles, pack
from bench.multicut.problem import Problem, components, disagreement, from_dense, from_sparse
from bench.multicut.relaxation import Relaxation
from bench.multicut.result import TOLERANCE, Solution
from bench.multicut.separation import separate
from bench.multicut.triangle import solve_triangles, suits_triangles

Progress = Callable[[float, float], None]
"""`progress(objective so far, upper bound so far)`."""
Labels = NDArray[np.int64]
EXACT = 1e-9
"""Share of the costs that counts as rounding error where decisions are forced."""
WORTH = 0.9
"""Parts with so small a share of the edges are solved afresh; else the integer program takes over."""
THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass
class _Run:
    """Budget and bookkeeping of one call."""

    solver: Literal["gurobi", "highs"]
    seed: int
    deadline: float
    started: float
    progress: Progress | None
    scale: float
    """Gaps below this are closed."""
    seconds: dict[str, float] = field(default_factory=dict)
    cuts: int = 0
    used_solver: bool = False

    def left(self) -> float:
        return self.deadline - time.perf_counter()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def solve(
    costs: NDArray[Any],
    *,
    solver: Solver = "auto",
    time_limit: float | None = None,
    seed: int = 0,
    certificate: bool = True,
    progress: Progress | None = None,
) -> Solution:
    """Find a partition of a complete graph with the largest sum of costs within clusters, and prove it.

    Parameters
    ----------
    costs : float32 or float64, shape (n, n), symmetric, finite
        Positive wants join. The diagonal is ignored.
    solver : of linear and integer programs; `auto` takes Gurobi where a full licence is found, else HiGHS
    time_limit : seconds of wall time, None for no limit. Looked at between steps, so a step may exceed it.
    seed : of the linear and integer solver. Without a time limit equal input gives equal output.
    certificate : also return a proof of an upper bound that `certificate.verify` checks
    progress : called with the objective and the upper bound whenever they may have changed

    Raises
    ------
    DataError : the costs are not such a matrix, or the licence of the solver asked for refuses the size.
    """
    from bench.multicut.dense import greedy_dense

    run_start = time.perf_counter()
    labels = greedy_dense(costs)
    return _solve_all(from_dense(costs), labels, run_start, solver, time_limit, seed, certificate, progress)


def solve_sparse(
    n: int,
    i: NDArray[Any],
    j: NDArray[Any],
    cost: NDArray[Any],
    *,
    solver: Solver = "auto",
    time_limit: float | None = None,
    seed: int = 0,
    certificate: bool = True,
    progress: Progress | None = None,
) -> Solution:
    """Like `solve`, on a graph of `n` nodes with edges (i, j), shape (m,) each; other pairs cost nothing.

    Repeated edges add up. Clusters are connected by positive edges.
    """
    from bench.multicut.sparse import greedy_sparse

    run_start = time.perf_counter()
    problem = from_sparse(n, i, j, cost)
    labels = greedy_sparse(n, i, j, cost)
    return _solve_all(problem, labels, run_start, solver, time_limit, seed, certificate, progress)


def _solve_all(
    problem: Problem,
    labels: Labels,
    started: float,
    solver: Solver,
    time_limit: float | None,
    seed: int,
    want_certificate: bool,
    progress: Progress | None,
) -> Solution:
    labels = np.asarray(labels, np.int64)
    cost = disagreement(problem, labels)
    deadline = started + (np.inf if time_limit is None else time_limit)
    run = _Run(choose(solver), seed, deadline, started, progress, 0.1 * TOLERANCE * max(1.0, cost))
    run.seconds["greedy"] = time.perf_counter() - started
    labels, lower, cycles = _solve(run, problem, labels, 0)
    cost = disagreement(problem, labels)
    lower = min(lower, cost)
    proof: Certificate | None = None
    if want_certificate:
        with run.phase("certificate"):
            proof = certify(problem, cycles)
    run.seconds["total"] = time.perf_counter() - started
    return Solution(
        labels=_numbered(labels),
        objective=problem.positive - cost,
        upper_bound=problem.positive - lower,
        disagreement=cost,
        status="optimal" if cost - lower <= TOLERANCE * max(1.0, cost) else "time_limit",
        solver=run.solver if run.used_solver else "none",
        seconds=run.seconds,
        cuts=run.cuts,
        certificate=proof,
    )


def _solve(run: _Run, problem: Problem, labels: Labels, depth: int) -> tuple[Labels, float, Cycles]:
    """Return a partition at least as good as `labels`, a lower bound, and the cycles behind its first part.

    The bound may exceed the true optimum only where `labels` itself is optimal.
    """
    if depth and run.left() > 0:
        with run.phase("rounding"):
            labels = _better(problem, labels, *_greedy_partitions(problem))
    labels, cycles, left, relaxation = _tighten(run, problem, labels, depth)
    lower, upper = cycles.bound, disagreement(problem, labels)
    if upper - lower <= run.scale or run.left() <= 0:
        return labels, lower, cycles
    gap = upper - lower
    with run.phase("fixing"):
        join, cut = forced(problem, cycles, left, gap + EXACT * max(1.0, upper))
        parts = split(problem, join, cut, 1 + 2 * gap)
    if all(len(part.problem.u) < WORTH * len(problem.u) for part in parts):
        labels, lower = _solve_parts(run, problem, labels, lower, parts, join, cut, depth)
    else:
        labels, lower = _decide(run, problem, labels, lower, relaxation)
    return labels, lower, cycles


def _tighten(
    run: _Run, problem: Problem, labels: Labels, depth: int
) -> tuple[Labels, Cycles, NDArray[np.float64], Relaxation | None]:
    """Raise the lower bound with cycles, and improve the partition on the way."""
    upper = disagreement(problem, labels)
    with run.phase("packing"):
        best, left = pack(
            problem, lambda bound: upper - bound <= run.scale or (not depth and run.left() <= 0)
        )
    if upper - best.bound <= run.scale or run.left() <= 0:
        return labels, best, left, None
    run.used_solver = True
    relaxation = Relaxation(problem, run.solver, run.seed)
    new, priced, rounds = best, best, 0
    while len(new.u):
        with run.phase("relaxation"):
            run.cuts += len(new.u)
            relaxation.add(new)
            finished = relaxation.solve(run.left())
        if not finished:
            break
        priced, bound = relaxation.cycles, relaxation.cycles.bound
        if rounds in (2, 4, 8) or rounds % 16 == 0:
            labels = _round(run, problem, labels, relaxation)
            upper = disagreement(problem, labels)
        if run.progress and not depth:
            run.progress(problem.positive - upper, problem.positive - max(bound, best.bound))
        rounds += 1
        if upper - bound <= run.scale or run.left() <= 0:
            break
        with run.phase("separation"):
            new = relaxation.violated(labels)
    else:
        labels = _round(run, problem, labels, relaxation)
    with run.phase("fixing"):
        for cycles in (priced, relaxation.cycles):
            fitted, fitted_left = fit(problem, cycles)
            if fitted.bound > best.bound:
                best, left = fitted, fitted_left
    return labels, best, left, relaxation


def _solve_parts(
    run: _Run,
    problem: Problem,
    labels: Labels,
    lower: float,
    parts: list[Part],
    join: NDArray[np.bool_],
    cut: NDArray[np.bool_],
    depth: int,
) -> tuple[Labels, float]:
    """Solve the parts one by one; what is between them costs the same in every partition left."""
    upper = disagreement(problem, labels)
    group = components(problem.n, problem.u, problem.v, join)
    result = group.copy()
    offset = int(group.max()) + 1
    open_gap = 0.0
    for part in parts:
        inner = np.empty(part.problem.n, np.int64)
        inner[part.place] = labels[part.nodes]
        inner = _numbered(inner)
        inner, bound, _ = _solve(run, part.problem, inner, depth + 1)
        after = disagreement(part.problem, inner)
        open_gap += max(0.0, after - bound)
        result[part.nodes] = offset + inner[part.place]
        offset += int(inner.max()) + 1
    result = _numbered(result)
    new_upper = disagreement(problem, result)
    return _better(problem, labels, result), max(lower, min(upper, new_upper) - open_gap)


def _decide(
    run: _Run, problem: Problem, labels: Labels, lower: float, relaxation: Relaxation | None
) -> tuple[Labels, float]:
    """Solve integer programs, with more cycles each time, until one gives a partition."""
    with run.phase("integer"):
        if suits_triangles(problem):
            found, bound = solve_triangles(problem, labels, run.solver, run.seed, run.left())
            return _better(problem, labels, found), max(lower, bound)
        if relaxation is None:
            return labels, lower
        while run.left() > 0:
            finished, bound = relaxation.solve_integer(run.left(), labels)
            lower = max(lower, bound)
            labels = _round(run, problem, labels, relaxation)
            if not finished or disagreement(problem, labels) - lower <= run.scale:
                break
            new = separate(problem, relaxation.point(), labels, 1.0)
            if not len(new.u):
                break
            run.cuts += len(new.u)
            relaxation.add(new)
    return labels, lower


def _round(run: _Run, problem: Problem, labels: Labels, relaxation: Relaxation) -> Labels:
    """Turn the relaxation's solution into partitions; return the best, or `labels` if none is better."""
    with run.phase("rounding"):
        edge = relaxation.point().edge
        rounded = [components(problem.n, problem.u, problem.v, edge < t) for t in THRESHOLDS]
        return _better(problem, labels, *(_improved(problem, r) for r in rounded))


def _greedy_partitions(problem: Problem) -> list[Labels]:
    if not problem.matrix.shape[0]:
        return []
    from bench.multicut.gaec_dense import contract

    return [_improved(problem, contract(problem.matrix.copy()))]


def _improved(problem: Problem, labels: Labels) -> Labels:
    """Run Kernighan-Lin from `labels`."""
    if not problem.matrix.shape[0]:
        return labels
    from bench.multicut.klj_dense import improve

    labels = labels.copy()
    improve(problem.matrix, labels, np.zeros((problem.n, problem.n)))
    return labels


def _better(problem: Problem, labels: Labels, *others: Labels) -> Labels:
    """Return the partition with the least disagreement, the first of equals."""
    return min((labels, *others), key=lambda each: disagreement(problem, each))


def _numbered(labels: Labels) -> Labels:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[inverse]
