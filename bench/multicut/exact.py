"""Exact multicut: a proven optimum, or the best partition and its gap when time runs out.

Bounds come from conflicted cycles (`packing`, then `relaxation`), partitions from the greedy solvers
and from the relaxation. What the gap between both forces is contracted (`fixing`), the independent
parts that remain are solved in the same way, and branching or an integer program decides the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.multicut.backends import Solver, choose
from bench.multicut.bounds import Bound, forced, proven, undecided
from bench.multicut.certificate import Certificate, certify
from bench.multicut.costs import renumber
from bench.multicut.fixing import Part, carry, fit, split
from bench.multicut.graph import components
from bench.multicut.instance import Instance, as_instance
from bench.multicut.packing import Cycles, join, no_cycles, pack
from bench.multicut.problem import CutProblem, DenseProblem, Labels
from bench.multicut.relaxation import Relaxation
from bench.multicut.result import TOLERANCE, Solution
from bench.multicut.separation import separate
from bench.multicut.wheels import Wheels, carry_wheels, find_wheels, no_wheels

Progress = Callable[[float, float], None]
"""`progress(objective so far, upper bound so far)`."""
ACCURACIES = (1e-3, 1e-5, 0.0)
"""Relative accuracies of the relaxations of LARGE problems, from one to the next when one yields no more."""
CASES = 4.0
"""Branch while gap <= CASES * largest fractional edge cost ..."""
FEW = 1000
"""... and up to this many positive edges: each branch starts its relaxation afresh."""
LARGE = 1000
"""Positive edges above which relaxations are solved roughly, until that yields no more."""
SMALL = 40
"""Nodes up to which branching beats an integer program on any instance seen."""
WORTH = 0.8
"""Parts with less than this share of the edges are solved recursively; else an integer program decides."""
SLOW = 0.02
"""After a round that closes less than this share of the gap, wheels are separated too."""
POLISH = 0.03
"""A certificate is improved while each round closes at least this share of its gap."""
THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass
class _Search:
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


@dataclass
class _Node:
    """A node of the search tree: a problem, and what is known of its partitions."""

    problem: CutProblem
    labels: Labels
    """(n,) the best partition so far."""
    cutoff: float = np.inf
    """Partitions with a disagreement of this or more are of no interest: bounds hold for all others."""
    cycles: Cycles = field(default_factory=no_cycles)
    """To start the relaxation with."""
    wheels: Wheels = field(default_factory=no_wheels)
    """Likewise."""
    depth: int = 0
    relaxation: Relaxation | None = None
    """Once it was needed."""

    def __post_init__(self) -> None:
        self.consider()

    def consider(self, *partitions: Labels) -> None:
        """Replace the partition by the best of these, if that is better, and lower the cutoff to it."""
        best = self.problem.disagreement(self.labels)
        for labels in partitions:
            other = self.problem.disagreement(labels)
            if other < best:
                self.labels, best = labels, other
        self.cutoff = min(self.cutoff, best)

    def known(self) -> tuple[Cycles, Wheels]:
        """Return the inequalities of the relaxation."""
        assert self.relaxation is not None
        return self.relaxation.cycles, self.relaxation.wheels


def solve(
    costs: Instance | ArrayLike,
    *,
    solver: Solver = "auto",
    time_limit: float | None = None,
    seed: int = 0,
    certificate: bool = True,
    progress: Progress | None = None,
) -> Solution:
    """Find a partition with the largest sum of costs within clusters, and prove it.

    Parameters
    ----------
    costs : an instance, or a symmetric matrix of finite costs, shape (n, n)
        Positive costs favour a join. The diagonal is ignored. Clusters of `SparseCosts` are connected by
        positive edges.
    solver : of linear and integer programs; `auto` takes Gurobi where a full licence is found, else HiGHS
    time_limit : seconds of wall time, None or infinite for no limit. Checked between steps, so a step may
        exceed it.
    seed : of the linear and integer solver. Without a time limit equal input gives equal output.
    certificate : also return a proof of an upper bound that `certificate.verify` checks
    progress : called with the objective and the upper bound whenever they may have changed

    Raises
    ------
    DataError : no finite symmetric costs, or the licence of the solver asked for refuses the size.
    UsageError : no such solver.
    """
    started = time.perf_counter()
    instance = as_instance(costs)
    problem = instance.problem()
    root = _Node(problem, instance.greedy())
    cost = root.cutoff
    deadline = started + (np.inf if time_limit is None else time_limit)
    run = _Search(choose(solver), seed, deadline, started, progress, 0.1 * TOLERANCE * max(1.0, cost))
    run.seconds["greedy"] = time.perf_counter() - started
    lower, cycles = _solve(run, root)
    cost = problem.disagreement(root.labels)
    lower = min(lower, cost)
    proof: Certificate | None = None
    if certificate:
        with run.phase("certificate"):
            proof = certify(problem, _polished(run, root, cycles))
    run.seconds["total"] = time.perf_counter() - started
    return Solution(
        labels=renumber(root.labels),
        objective=problem.positive - cost,
        upper_bound=problem.positive - lower,
        disagreement=cost,
        status="optimal" if cost - lower <= TOLERANCE * max(1.0, cost) else "time_limit",
        solver=run.solver if run.used_solver else "none",
        seconds=run.seconds,
        cuts=run.cuts,
        certificate=proof,
    )


def _polished(run: _Search, root: _Node, cycles: Cycles) -> Cycles:
    """Raise the bound of the cycles alone towards the disagreement of the final partition."""
    relaxation, problem = run.root, root.problem
    cost = problem.disagreement(root.labels)
    if relaxation is None or len(relaxation.wheels.limit) or len(problem.u) <= LARGE:
        return cycles
    while cost - cycles.bound > run.scale and run.left() > 0:
        new = relaxation.violated(root.labels, rough=True)
        if not len(new.u):
            break
        relaxation.add(new)
        relaxation.solve(run.left(), ACCURACIES[0])
        raised, _ = fit(problem, relaxation.cycles)
        if raised.bound - cycles.bound < POLISH * (cost - cycles.bound):
            break
        cycles = raised
    return cycles


def _solve(run: _Search, node: _Node) -> tuple[float, Cycles]:
    """Solve a node: improve its partition, return a lower bound and the cycles it starts from."""
    problem = node.problem
    if node.depth and run.left() > 0:
        with run.phase("rounding"):
            node.consider(*problem.greedy_partitions())
    cycles, bound = _tighten(run, node)
    lower = bound.value
    if node.cutoff - lower <= run.scale or run.left() <= 0:
        return lower, cycles
    with run.phase("fixing"):
        joined, cut = forced(bound, node.cutoff)
    if (joined & cut).any():  # nothing is better than the cutoff
        return node.cutoff, cycles
    parts = split(problem, joined, cut, 1 + 2 * (node.cutoff - lower))
    if all(len(part.problem.u) < WORTH * len(problem.u) for part in parts):
        wheels = no_wheels() if node.relaxation is None else node.relaxation.wheels.used()
        raised = _solve_parts(run, node, parts, joined, (bound.cycles, wheels))
    else:
        raised = _decide(run, node, lower)
    return max(lower, raised), cycles


def _tighten(run: _Search, node: _Node) -> tuple[Cycles, Bound]:
    """Raise the lower bound, and improve the partition on the way.

    Returns the cycles of the best bound from cycles only, and the best bound.
    """
    problem = node.problem
    with run.phase("packing"):
        packed = pack(
            problem,
            lambda bound: node.cutoff - bound <= run.scale or (not node.depth and run.left() <= 0),
        )
    best = plain = Bound(problem, 0.0, *packed)
    if node.cutoff - best.value <= run.scale or run.left() <= 0:
        return plain.cycles, best
    run.used_solver = True
    node.relaxation = relaxation = Relaxation(problem, run.solver, run.seed)
    relaxation.add_wheels(node.wheels)
    accuracies = list(ACCURACIES) if len(problem.u) > LARGE else [0.0]
    run.root = run.root or relaxation
    new, rounds, last = join([plain.cycles, node.cycles]), 0, 0.0
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
            _round(run, node, relaxation)
        if run.progress and not node.depth:
            run.progress(problem.positive - node.cutoff, problem.positive - best.value)
        rounds += 1
        if node.cutoff - best.value <= run.scale or run.left() <= 0:
            break
        with run.phase("fixing"):
            open_edges = undecided(problem, *forced(best, node.cutoff))
        if accuracies[0] and open_edges < WORTH * len(problem.u):
            break
        with run.phase("separation"):
            slow = best.value - last < SLOW * (node.cutoff - best.value)
            last = best.value
            new, wheels = _violated(node, relaxation, rough=accuracies[0] > 0, slow=slow)
            run.cuts += wheels
        if accuracies[0] and not len(new.u) and not wheels:
            del accuracies[0]
        elif not len(new.u) and not wheels:
            _round(run, node, relaxation)
            break
    return plain.cycles, best


def _violated(node: _Node, relaxation: Relaxation, *, rough: bool, slow: bool) -> tuple[Cycles, int]:
    """Find violated cycles; and where those help little, add violated wheels. Returns how many of these."""
    new = relaxation.violated(node.labels, rough=rough)
    if not isinstance(node.problem, DenseProblem) or not ((node.depth and slow) or not len(new.u)):
        return new, 0
    wheels = find_wheels(node.problem, relaxation.point())
    relaxation.add_wheels(wheels)
    return new, len(wheels.limit)


def _solve_parts(
    run: _Search, node: _Node, parts: list[Part], joined: NDArray[np.bool_], known: tuple[Cycles, Wheels]
) -> float:
    """Solve the parts one by one, and return a lower bound.

    Pairs between the parts cost the same in every partition that remains.
    """
    problem, cutoff = node.problem, node.cutoff
    group = components(problem.n, problem.u, problem.v, joined)
    alone = [np.arange(part.problem.n) for part in parts]
    within = sum(part.problem.disagreement(each) for part, each in zip(parts, alone, strict=True))
    between = problem.disagreement(_combined(group, parts, alone)) - within
    found, bounds = alone, np.zeros(len(parts))
    for k, part in enumerate(parts):
        inner = np.empty(part.problem.n, np.int64)
        inner[part.place] = node.labels[part.nodes]
        allowed = cutoff - between - (bounds.sum() - bounds[k])
        cycles, wheels = carry(problem, known[0], part), no_wheels()
        if isinstance(part.problem, DenseProblem):
            place = np.full(problem.n, -1, np.int64)
            place[part.nodes] = part.place
            wheels = carry_wheels(known[1], place, part.problem.n)
        child = _Node(part.problem, renumber(inner), allowed, cycles, wheels, node.depth + 1)
        bounds[k], _ = _solve(run, child)
        found[k] = child.labels
    node.consider(_combined(group, parts, found))
    return min(cutoff, between + float(bounds.sum()))


def _combined(group: Labels, parts: list[Part], inner: list[Labels]) -> Labels:
    """Put partitions of the parts together; nodes in no part go with their `group`."""
    result, offset = group.copy(), int(group.max(initial=0)) + 1
    for part, labels in zip(parts, inner, strict=True):
        result[part.nodes] = offset + labels[part.place]
        offset += part.problem.n
    return renumber(result)


def _decide(run: _Search, node: _Node, lower: float) -> float:
    """Decide the rest: by branching where that raises the bound fast, else by integer programs.

    Returns a lower bound.
    """
    if node.relaxation is None:
        return lower
    problem, cut = node.problem, node.relaxation.point().edge
    doubt = problem.cost * np.minimum(cut, 1 - cut)
    in_reach = len(problem.u) <= FEW and node.cutoff - lower <= CASES * doubt.max(initial=0.0)
    if in_reach or problem.n <= SMALL:
        return _branch(run, node, int(np.argmax(doubt)))
    return _integer(run, node, node.relaxation)


def _branch(run: _Search, node: _Node, edge: int) -> float:
    """Solve with one edge joined and with it cut, first as it is in the best partition; return a bound."""
    problem, labels = node.problem, node.labels
    one, none = np.zeros(len(problem.u), np.bool_), np.zeros(len(problem.u), np.bool_)
    one[edge] = True
    bounds = []
    together = labels[problem.u[edge]] == labels[problem.v[edge]]
    for joined, cut in ((one, none), (none, one)) if together else ((none, one), (one, none)):
        parts = split(problem, joined, cut, 1 + node.cutoff)
        bounds.append(_solve_parts(run, node, parts, joined, node.known()))
    return min(bounds)


def _integer(run: _Search, node: _Node, relaxation: Relaxation) -> float:
    """Solve integer programs, with more cycles each time, until one gives a partition; return a bound."""
    lower = 0.0
    with run.phase("integer"):
        while run.left() > 0:
            finished, bound = relaxation.solve_integer(run.left(), node.labels)
            lower = max(lower, bound)
            _round(run, node, relaxation)
            if not finished or node.cutoff - lower <= run.scale:
                break
            new = separate(node.problem, relaxation.point(), node.labels, 1.0)
            if not len(new.u):
                break
            run.cuts += len(new.u)
            relaxation.add(new)
    return lower


def _round(run: _Search, node: _Node, relaxation: Relaxation) -> None:
    """Turn the relaxation's solution into partitions, and keep the best if it is better."""
    problem = node.problem
    with run.phase("rounding"):
        edge = relaxation.point().edge
        rounded = [components(problem.n, problem.u, problem.v, edge < t) for t in THRESHOLDS]
        node.consider(*(problem.improved(r) for r in rounded))
