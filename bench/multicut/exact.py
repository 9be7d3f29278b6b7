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
from bench.multicut.bounds import Bound, forced, proven, undecided
from bench.multicut.certificate import Certificate, certify
from bench.multicut.fixing import Part, carry, fit, split
from bench.multicut.packing import Cycles, join, no_cycles, pack
from bench.multicut.problem import Problem, components, disagreement, from_dense, from_sparse
from bench.multicut.relaxation import Relaxation
from bench.multicut.result import TOLERANCE, Solution
from bench.multicut.rounding import Labels, better, greedy_partitions, improved, numbered
from bench.multicut.separation import separate
from bench.multicut.wheels import Wheels, carry_wheels, find_wheels, no_wheels

Progress = Callable[[float, float], None]
"""`progress(objective so far, upper bound so far)`."""
Known = tuple[Cycles, Wheels]
"""Inequalities to start a relaxation with."""
ACCURACIES = (1e-3, 1e-5, 0.0)
"""Relative accuracies of the relaxations of LARGE problems, from one to the next when one yields no more."""
CASES = 4.0
"""Cases are distinguished while the gap is at most so many times the cost in doubt at one edge."""
FEW = 1000
"""... and there are at most so many positive edges: each case starts its relaxation afresh."""
LARGE = 1000
"""Positive edges from which on relaxations are solved roughly, until that yields no more."""
SMALL = 40
"""Nodes up to which distinguishing cases beats an integer program on any instance seen."""
WORTH = 0.8
"""Parts with so small a share of the edges are solved afresh; else the integer program takes over."""
SLOW = 0.02
"""A round that closes less of the gap than this share asks for other inequalities than cycles."""
POLISH = 0.03
"""A certificate is improved while a round closes so large a share of its gap."""
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
    root: Relaxation | None = None
    """The relaxation of the whole instance."""

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
    labels, lower, cycles = _solve(run, problem, labels, np.inf, (no_cycles(), no_wheels()), 0)
    cost = disagreement(problem, labels)
    lower = min(lower, cost)
    proof: Certificate | None = None
    if want_certificate:
        with run.phase("certificate"):
            proof = certify(problem, _polished(run, problem, labels, cycles))
    run.seconds["total"] = time.perf_counter() - started
    return Solution(
        labels=numbered(labels),
        objective=problem.positive - cost,
        upper_bound=problem.positive - lower,
        disagreement=cost,
        status="optimal" if cost - lower <= TOLERANCE * max(1.0, cost) else "time_limit",
        solver=run.solver if run.used_solver else "none",
        seconds=run.seconds,
        cuts=run.cuts,
        certificate=proof,
    )


def _polished(run: _Run, problem: Problem, labels: Labels, cycles: Cycles) -> Cycles:
    """Raise the bound of the cycles alone towards the disagreement of the final partition."""
    relaxation, cost = run.root, disagreement(problem, labels)
    if relaxation is None or len(relaxation.wheels.limit) or len(problem.u) <= LARGE:
        return cycles
    while cost - cycles.bound > run.scale and run.left() > 0:
        new = relaxation.violated(labels, rough=True)
        if not len(new.u):
            break
        relaxation.add(new)
        relaxation.solve(run.left(), ACCURACIES[0])
        raised, _ = fit(problem, relaxation.cycles)
        if raised.bound - cycles.bound < POLISH * (cost - cycles.bound):
            break
        cycles = raised
    return cycles


def _solve(
    run: _Run, problem: Problem, labels: Labels, cutoff: float, known: Known, depth: int
) -> tuple[Labels, float, Cycles]:
    """Return a partition at least as good as `labels`, a lower bound, and the cycles it starts from.

    Partitions with a disagreement of `cutoff` or more are of no interest: the bound holds for all others.
    """
    if depth and run.left() > 0:
        with run.phase("rounding"):
            labels = better(problem, labels, *greedy_partitions(problem))
    labels, cycles, bound, relaxation = _tighten(run, problem, labels, cutoff, known, depth)
    upper = disagreement(problem, labels)
    lower, cutoff = bound.value, min(cutoff, upper)
    if cutoff - lower <= run.scale or run.left() <= 0:
        return labels, lower, cycles
    with run.phase("fixing"):
        joined, cut = forced(bound, cutoff)
    if (joined & cut).any():  # nothing is better than the cutoff
        return labels, cutoff, cycles
    parts = split(problem, joined, cut, 1 + 2 * (cutoff - lower))
    if all(len(part.problem.u) < WORTH * len(problem.u) for part in parts):
        known = bound.cycles, no_wheels() if relaxation is None else relaxation.wheels.used()
        labels, raised = _solve_parts(run, problem, labels, cutoff, parts, joined, known, depth)
    else:
        labels, raised = _decide(run, problem, labels, lower, cutoff, relaxation, depth)
    return labels, max(lower, raised), cycles


def _tighten(
    run: _Run, problem: Problem, labels: Labels, cutoff: float, known: Known, depth: int
) -> tuple[Labels, Cycles, Bound, Relaxation | None]:
    """Raise the lower bound, and improve the partition on the way.

    Returns the partition, the cycles of the best bound from cycles only, the best bound, the relaxation.
    """
    upper = min(cutoff, disagreement(problem, labels))
    with run.phase("packing"):
        packed = pack(problem, lambda bound: upper - bound <= run.scale or (not depth and run.left() <= 0))
    best = plain = Bound(problem, 0.0, *packed)
    if upper - best.value <= run.scale or run.left() <= 0:
        return labels, plain.cycles, best, None
    run.used_solver = True
    relaxation = Relaxation(problem, run.solver, run.seed)
    relaxation.add_wheels(known[1])
    accuracies = list(ACCURACIES) if len(problem.u) > LARGE else [0.0]
    run.root = run.root or relaxation
    new, rounds, last = join([plain.cycles, known[0]]), 0, 0.0
    while True:
        with run.phase("relaxation"):
            if len(new.u):
                run.cuts += len(new.u)
                relaxation.add(new)
            finished = relaxation.solve(run.left(), accuracies[0])
        with run.phase("fixing"):
            found = proven(problem, relaxation)
            best = max(best, found, key=lambda bound: bound.value)
            plain = plain if len(relaxation.wheels.limit) else best
        if not finished:
            break
        if rounds in (2, 4, 8) or rounds % 16 == 0:
            labels = _round(run, problem, labels, relaxation)
            upper = min(cutoff, disagreement(problem, labels))
        if run.progress and not depth:
            run.progress(problem.positive - upper, problem.positive - best.value)
        rounds += 1
        if upper - best.value <= run.scale or run.left() <= 0:
            break
        with run.phase("fixing"):
            open_edges = undecided(problem, *forced(best, upper))
        if accuracies[0] and open_edges < WORTH * len(problem.u):
            break
        with run.phase("separation"):
            new, wheels = relaxation.violated(labels, rough=accuracies[0] > 0), no_wheels()
            slow = best.value - last < SLOW * (upper - best.value)
            last = best.value
            if ((depth and slow) or not len(new.u)) and problem.matrix.shape[0]:
                wheels = find_wheels(problem, relaxation.point())
                relaxation.add_wheels(wheels)
                run.cuts += len(wheels.limit)
        if accuracies[0] and not len(new.u) and not len(wheels.limit):
            del accuracies[0]
        elif not len(new.u) and not len(wheels.limit):
            labels = _round(run, problem, labels, relaxation)
            break
    return labels, plain.cycles, best, relaxation


def _solve_parts(
    run: _Run,
    problem: Problem,
    labels: Labels,
    cutoff: float,
    parts: list[Part],
    joined: NDArray[np.bool_],
    known: Known,
    depth: int,
) -> tuple[Labels, float]:
    """Solve the parts one by one; what is between them costs the same in every partition left."""
    group = components(problem.n, problem.u, problem.v, joined)
    alone = [np.arange(part.problem.n) for part in parts]
    within = sum(disagreement(part.problem, each) for part, each in zip(parts, alone, strict=True))
    between = disagreement(problem, _combined(group, parts, alone)) - within
    found, bounds = alone, np.zeros(len(parts))
    for k, part in enumerate(parts):
        inner = np.empty(part.problem.n, np.int64)
        inner[part.place] = labels[part.nodes]
        allowed = cutoff - between - (bounds.sum() - bounds[k])
        place = np.full(problem.n, -1, np.int64)
        place[part.nodes] = part.place
        carried = carry(problem, known[0], part), no_wheels()
        if part.problem.matrix.shape[0]:
            carried = carried[0], carry_wheels(known[1], place, part.problem.n)
        found[k], bounds[k], _ = _solve(run, part.problem, numbered(inner), allowed, carried, depth + 1)
    return better(problem, labels, _combined(group, parts, found)), min(cutoff, between + bounds.sum())


def _combined(group: Labels, parts: list[Part], inner: list[Labels]) -> Labels:
    """Put partitions of the parts together; nodes in no part go with their `group`."""
    result, offset = group.copy(), int(group.max(initial=0)) + 1
    for part, labels in zip(parts, inner, strict=True):
        result[part.nodes] = offset + labels[part.place]
        offset += part.problem.n
    return numbered(result)


def _decide(
    run: _Run,
    problem: Problem,
    labels: Labels,
    lower: float,
    cutoff: float,
    relaxation: Relaxation | None,
    depth: int,
) -> tuple[Labels, float]:
    """Decide what nothing forces: by cases where that raises the bound fast, else by integer programs."""
    if relaxation is None:
        return labels, lower
    cut = relaxation.point().edge
    doubt = problem.cost * np.minimum(cut, 1 - cut)
    in_reach = len(problem.u) <= FEW and cutoff - lower <= CASES * doubt.max(initial=0.0)
    if in_reach or problem.n <= SMALL:
        return _branch(run, problem, labels, cutoff, int(np.argmax(doubt)), relaxation, depth)
    return _integer(run, problem, labels, cutoff, relaxation)


def _branch(
    run: _Run,
    problem: Problem,
    labels: Labels,
    cutoff: float,
    edge: int,
    relaxation: Relaxation,
    depth: int,
) -> tuple[Labels, float]:
    """Solve with one edge joined, then with it cut."""
    one, none = np.zeros(len(problem.u), np.bool_), np.zeros(len(problem.u), np.bool_)
    one[edge] = True
    bounds = []
    together = labels[problem.u[edge]] == labels[problem.v[edge]]
    for joined, cut in ((one, none), (none, one)) if together else ((none, one), (one, none)):
        parts = split(problem, joined, cut, 1 + cutoff)
        labels, bound = _solve_parts(
            run, problem, labels, cutoff, parts, joined, (relaxation.cycles, relaxation.wheels), depth
        )
        bounds.append(bound)
        cutoff = min(cutoff, disagreement(problem, labels))
    return labels, min(bounds)


def _integer(
    run: _Run, problem: Problem, labels: Labels, cutoff: float, relaxation: Relaxation
) -> tuple[Labels, float]:
    """Solve integer programs, with more cycles each time, until one gives a partition."""
    lower = 0.0
    with run.phase("integer"):
        while run.left() > 0:
            finished, bound = relaxation.solve_integer(run.left(), labels)
            lower = max(lower, bound)
            labels = _round(run, problem, labels, relaxation)
            if not finished or min(cutoff, disagreement(problem, labels)) - lower <= run.scale:
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
        return better(problem, labels, *(improved(problem, r) for r in rounded))
