"""The linear relaxation over conflicted cycles, tightened until no cycle is violated."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.multicut.backends import make_model
from bench.multicut.packing import Cycles, join, no_cycles
from bench.multicut.problem import Problem, pair_costs
from bench.multicut.separation import Point, Separation

SHARE = 0.4
"""Weight of the relaxation's solution, against the best partition's, in the point that is separated first."""


class Relaxation:
    """Least `cost @ z` with z >= 0 and, for every cycle added, the sum of z over its members >= 1.

    z of a positive edge says how much it is cut, z of a negative pair how much it is joined. Edges and
    pairs have no column, and are 0, until a cycle needs them.
    """

    def __init__(self, problem: Problem, solver: Literal["gurobi", "highs"], seed: int) -> None:
        self.problem = problem
        self.model = make_model(solver, seed)
        self.cycles = no_cycles()
        """All cycles so far; after `solve` their prices are the weights."""
        self._edge_column = np.full(len(problem.u), -1, np.int64)
        self._pairs = np.empty(0, np.int64)  # u * n + v, ascending
        self._pair_column = np.empty(0, np.int64)
        self._x = np.empty(0)
        self._between, self._at = Separation(problem, SHARE), Separation(problem, 1.0)

    def add(self, cycles: Cycles) -> None:
        """Add rows, and the columns they need."""
        key = cycles.u.astype(np.int64) * self.problem.n + cycles.v
        self._add_pairs(np.setdiff1d(key, self._pairs))
        edges = np.unique(cycles.edge)
        edges = edges[self._edge_column[edges] < 0]
        self._edge_column[edges] = self.model.columns + np.arange(len(edges))
        self.model.add_columns(self.problem.cost[edges])

        start = cycles.start + np.arange(len(cycles.start))
        column = np.empty(start[-1], np.int64)
        is_pair = np.zeros(len(column), np.bool_)
        is_pair[start[1:] - 1] = True
        column[is_pair] = self._pair_column[np.searchsorted(self._pairs, key)]
        column[~is_pair] = self._edge_column[cycles.edge]
        self.model.add_rows(start, column, np.ones(len(column)), 1.0)
        self.cycles = join([self.cycles, cycles])

    def solve(self, seconds: float) -> bool:
        """Solve what there is; False if the time was too short. Prices go into `cycles.weight` either way."""
        result = self.model.relax(seconds)
        self._x = result.x
        self.cycles = self.cycles._replace(weight=np.maximum(result.dual, 0.0))
        return result.finished

    def solve_integer(self, seconds: float, labels: NDArray[np.int64]) -> tuple[bool, float]:
        """Solve with integrality, from the partition `labels`; return whether done, and the lower bound."""
        first = np.empty(self.model.columns)
        has = self._edge_column >= 0
        p = self.problem
        first[self._edge_column[has]] = labels[p.u[has]] != labels[p.v[has]]
        first[self._pair_column] = labels[self._pairs // p.n] == labels[self._pairs % p.n]
        result = self.model.solve(seconds, first)
        self._x = first if result.x is None else result.x
        return result.finished, result.bound

    def point(self) -> Point:
        """Return the last solution."""
        n = max(self.problem.n, 1)
        edge = np.where(self._edge_column >= 0, np.append(self._x, 0.0)[self._edge_column], 0.0)
        row = np.searchsorted(self._pairs // n, np.arange(n + 1))
        return Point(edge, row, (self._pairs % n).astype(np.int32), self._x[self._pair_column])

    def violated(self, labels: NDArray[np.int64]) -> Cycles:
        """Find new cycles, first between the solution and the partition `labels`, then at the solution.

        Source of the first: Ben-Ameur, Neto, Acceleration of cutting-plane and column generation
        algorithms, Networks 49 (2007). What is violated between the two is violated at the solution.
        """
        point = self.point()
        cycles = self._between.find(point, labels)
        return cycles if len(cycles.u) else self._at.find(point, labels)

    def _add_pairs(self, new: NDArray[np.int64]) -> None:
        n = self.problem.n
        column = self.model.columns + np.arange(len(new))
        self.model.add_columns(-pair_costs(self.problem, new // n, new % n))
        pairs, columns = np.concatenate([self._pairs, new]), np.concatenate([self._pair_column, column])
        order = np.argsort(pairs)
        self._pairs, self._pair_column = pairs[order], columns[order]
