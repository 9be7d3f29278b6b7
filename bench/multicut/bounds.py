"""Lower bounds on the disagreement, and the decisions that they force."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.multicut.fixing import fit, probe
from bench.multicut.graph import components
from bench.multicut.packing import Cycles
from bench.multicut.problem import CutProblem, DenseProblem
from bench.multicut.relaxation import Relaxation
from bench.multicut.wheels import charged

EXACT = 1e-9
"""Relative tolerance for rounding errors where decisions are forced."""


class Bound(NamedTuple):
    """A lower bound on the disagreement: `offset`, plus what `cycles` prove for the remaining costs."""

    rest: CutProblem
    offset: float
    cycles: Cycles
    left: NDArray[np.float64]
    """What the cycles leave of the costs of the positive edges in `rest`."""

    @property
    def value(self) -> float:
        """No partition has a smaller disagreement."""
        return self.offset + self.cycles.bound


def proven(problem: CutProblem, relaxation: Relaxation) -> Bound:
    """Make the prices of the relaxation prove a bound."""
    if not isinstance(problem, DenseProblem) or not len(relaxation.wheels.limit):
        return Bound(problem, 0.0, *fit(problem, relaxation.cycles))
    rest, offset = charged(problem, relaxation.wheels)
    return Bound(rest, offset, *fit(rest, relaxation.cycles))


def forced(bound: Bound, cutoff: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the edges that every partition with a disagreement below `cutoff` joins, and those it cuts."""
    gap = cutoff - bound.value + EXACT * max(1.0, cutoff)
    if_cut, if_joined = probe(bound.rest, bound.cycles, bound.left)
    return if_cut > gap, if_joined > gap


def undecided(problem: CutProblem, join: NDArray[np.bool_], cut: NDArray[np.bool_]) -> int:
    """Count the edges that remain between the groups of joined nodes."""
    group = components(problem.n, problem.u, problem.v, join)
    return int(((group[problem.u] != group[problem.v]) & ~cut).sum())
