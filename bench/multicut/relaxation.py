"""The linear relaxation over conflicted cycles, tightened until no cycle is violated."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.multicut.backends import make_model
from bench.multicut.firstorder import FirstOrder
from bench.multicut.packing import Cycles, join, no_cycles
from bench.multicut.problem import CutProblem
from bench.multicut.separation import Point, Separation
from bench.multicut.wheels import Wheels, covering, join_wheels, no_wheels

SHARE = 0.4
"""Weight of the relaxation's solution, against the best partition's, in the point that is separated first."""
ROUGH_SHARE = 0.25
MANY = 12
"""Cycles through one edge and in one round where rows cost little: where they are solved roughly."""
CLEAR = 0.01
"""Least violation that is not an artefact of a rough solution."""


class Relaxation:
    """Least `cost @ z` with z >= 0 and, for every cycle added, the sum of z over its members >= 1.

    Other inequalities, `wheels`, can be added too.

    z of a positive edge says how much it is cut, z of a negative pair how much it is joined. Edges and
    pairs have no column, and are 0, until a cycle needs them.
    """

    def __init__(self, problem: CutProblem, solver: Literal["gurobi", "highs"], seed: int) -> None:
        self.problem = problem
        self._model, self._rough = make_model(solver, seed), FirstOrder()
        self._added: list[
            Any
        ] = []  # columns and rows, in turn; each of the two solvers catches up when it is used
        self._read = {True: 0, False: 0}
        self._columns = 0
        self.cycles = no_cycles()
        """All cycles so far; after `solve` their prices are the weights."""
        self.wheels = no_wheels()
        """Likewise."""
        self._is_cycle = np.empty(0, np.bool_)
        self._edge_column = np.full(len(problem.u), -1, np.int64)
        self._pairs = np.empty(0, np.int64)  # u * n + v, ascending
        self._pair_column = np.empty(0, np.int64)
        self._x = np.empty(0)
        self._between, self._at = Separation(problem, SHARE), Separation(problem, 1.0)
        self._roughly = Separation(problem, ROUGH_SHARE, CLEAR, MANY), Separation(problem, 1.0, CLEAR, MANY)

    def add(self, cycles: Cycles) -> None:
        """Add rows, and the columns they need."""
        key = cycles.u.astype(np.int64) * self.problem.n + cycles.v
        self._add_columns(cycles.edge, key)
        start = cycles.start + np.arange(len(cycles.start))
        column = np.empty(start[-1], np.int64)
        is_pair = np.zeros(len(column), np.bool_)
        is_pair[start[1:] - 1] = True
        column[is_pair] = self._pair_column[np.searchsorted(self._pairs, key)]
        column[~is_pair] = self._edge_column[cycles.edge]
        self._added.append((start, column, np.ones(len(column)), np.ones(len(key)), cycles.weight))
        self.cycles = join([self.cycles, cycles])
        self._is_cycle = np.concatenate([self._is_cycle, np.ones(len(key), np.bool_)])

    def add_wheels(self, wheels: Wheels) -> None:
        """Add rows, and the columns they need."""
        n = self.problem.n
        key = wheels.a.astype(np.int64) * n + wheels.b
        edge_key = self.problem.u.astype(np.int64) * n + self.problem.v
        is_edge = self.problem.pair_costs(wheels.a, wheels.b) > 0
        edges = np.searchsorted(edge_key, key[is_edge])
        self._add_columns(edges, key[~is_edge])
        column = np.empty(len(key), np.int64)
        column[is_edge] = self._edge_column[edges]
        column[~is_edge] = self._pair_column[np.searchsorted(self._pairs, key[~is_edge])]
        value, lower = covering(self.problem, wheels)
        self._added.append((wheels.start, column, value, lower, np.zeros(len(lower))))
        self.wheels = join_wheels(self.wheels, wheels)
        self._is_cycle = np.concatenate([self._is_cycle, np.zeros(len(lower), np.bool_)])

    def solve(self, seconds: float, accuracy: float = 0.0) -> bool:
        """Solve what there is; False if the time was too short. Prices go into `cycles.weight` either way.

        With an `accuracy` the solution is rough: not quite feasible, so that its prices bound nothing
        until they are made to `fit`; inside the optimal face; and on large problems much faster.
        """
        self._read_on(accuracy > 0)
        result = self._rough.relax(accuracy, seconds) if accuracy else self._model.relax(seconds)
        self._x = result.x
        price = np.maximum(result.dual, 0.0)
        self.cycles = self.cycles._replace(weight=price[self._is_cycle])
        self.wheels = self.wheels._replace(weight=price[~self._is_cycle])
        return result.finished

    def solve_integer(self, seconds: float, labels: NDArray[np.int64]) -> tuple[bool, float]:
        """Solve with integrality, from the partition `labels`; return whether done, and the lower bound."""
        first = np.empty(self._columns)
        has = self._edge_column >= 0
        p = self.problem
        first[self._edge_column[has]] = labels[p.u[has]] != labels[p.v[has]]
        first[self._pair_column] = labels[self._pairs // p.n] == labels[self._pairs % p.n]
        self._read_on(rough=False)
        result = self._model.solve(seconds, first)
        self._x = first if result.x is None else result.x
        return result.finished, result.bound

    def point(self) -> Point:
        """Return the last solution."""
        n = max(self.problem.n, 1)
        edge = np.where(self._edge_column >= 0, np.append(self._x, 0.0)[self._edge_column], 0.0)
        row = np.searchsorted(self._pairs // n, np.arange(n + 1))
        return Point(edge, row, (self._pairs % n).astype(np.int32), self._x[self._pair_column])

    def violated(self, labels: NDArray[np.int64], *, rough: bool = False) -> Cycles:
        """Find new cycles, first between the solution and the partition `labels`, then at the solution.

        At rough solutions only clear violations count.

        Source of the first: Ben-Ameur, Neto, Acceleration of cutting-plane and column generation
        algorithms, Networks 49 (2007). What is violated between the two is violated at the solution.
        """
        point = self.point()
        if rough:
            cycles = self._roughly[0].find(point, labels)
            return cycles if len(cycles.u) else self._roughly[1].find(point, labels)
        cycles = self._between.find(point, labels)
        return cycles if len(cycles.u) else self._at.find(point, labels)

    def _append(self, cost: NDArray[np.float64]) -> None:
        self._added.append(cost)
        self._columns += len(cost)

    def _read_on(self, rough: bool) -> None:
        """Bring a solver up to date."""
        for added in self._added[self._read[rough] :]:
            if isinstance(added, np.ndarray):
                (self._rough if rough else self._model).add_columns(added)
            elif rough:
                self._rough.add_rows(*added)
            else:
                self._model.add_rows(*added[:-1])
        self._read[rough] = len(self._added)

    def _add_columns(self, edges: NDArray[Any], pairs: NDArray[np.int64]) -> None:
        self._add_pairs(np.setdiff1d(pairs, self._pairs))
        new = np.unique(edges)
        new = new[self._edge_column[new] < 0]
        self._edge_column[new] = self._columns + np.arange(len(new))
        self._append(self.problem.cost[new])

    def _add_pairs(self, new: NDArray[np.int64]) -> None:
        n = self.problem.n
        column = self._columns + np.arange(len(new))
        self._append(-self.problem.pair_costs(new // n, new % n))
        pairs, columns = np.concatenate([self._pairs, new]), np.concatenate([self._pair_column, column])
        order = np.argsort(pairs)
        self._pairs, self._pair_column = pairs[order], columns[order]
