"""Time to a proven optimum, on planted partitions seen through noise.

Every process has kernels to load, so what is proven is asserted where it is timed, not solved for again.
"""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


def planted(n: int, noise: float) -> NDArray[np.float64]:
    """Classes of ten on a complete graph: costs +-4, the mean cut 0, errors correlated per node."""
    rng = np.random.default_rng(n)
    labels = rng.permutation(np.arange(n) // 10)
    centre = rng.normal(size=(n // 10 + 1, 16))
    x = centre[labels] + noise * rng.normal(size=(n, 16)) * np.exp(rng.normal(0, 0.35, n))[:, None]
    square = (x * x).sum(1)
    distance = np.sqrt(np.maximum(square[:, None] + square - 2 * x @ x.T, 0))
    joins = 10 * n  # as many positive pairs, both directions counted, as there are joins
    threshold = np.partition(distance.ravel(), joins)[joins]
    costs: NDArray[np.float64] = np.clip(4 * (threshold - distance), -12, 12)
    return costs


def solve_sparse(n: int, edges: Any, **options: Any) -> Any:
    """Solve exactly on a sparse graph, on commits old and new."""
    exact: Any = importlib.import_module("bench.multicut.exact")
    try:
        from bench.multicut.instance import SparseCosts
    except ImportError:  # commits in which costs had no classes
        return exact.solve_sparse(n, *edges, **options)
    return exact.solve(SparseCosts(n, *edges), **options)


class Dense:
    """Complete graphs: size x noise."""

    params: ClassVar[list[Any]] = [[300, 1000], [0.2, 0.35]]
    param_names: ClassVar[list[str]] = ["n", "noise"]
    timeout = 300

    def setup(self, n: int, noise: float) -> None:
        from bench.multicut.exact import solve

        self.costs = planted(n, noise)
        solve(planted(60, 0.35), solver="highs")  # compiles

    def time_solve(self, n: int, noise: float) -> None:
        from bench.multicut.exact import solve

        assert solve(self.costs, solver="highs", time_limit=120).gap < 1e-6


class Memory:
    """The largest and hardest of the complete graphs."""

    timeout = 300

    def setup(self) -> None:
        self.costs = planted(1000, 0.35)

    def peakmem_solve(self) -> None:
        from bench.multicut.exact import solve

        solve(self.costs, solver="highs", time_limit=120)


class Sparse:
    """Graphs of nearest neighbours on a line of classes, 8 % of the pairs flipped."""

    params: ClassVar[list[int]] = [10_000, 100_000]
    param_names: ClassVar[list[str]] = ["n"]
    timeout = 600

    def setup(self, n: int) -> None:
        self.edges = self._edges(n)
        solve_sparse(500, self._edges(500), solver="highs")

    def time_solve(self, n: int) -> None:
        assert solve_sparse(n, self.edges, solver="highs", time_limit=300).gap < 1e-6

    @staticmethod
    def _edges(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        rng = np.random.default_rng(n)
        i = np.repeat(np.arange(n), 6)
        j = np.minimum(i + rng.integers(1, 13, len(i)), n - 1)
        key = np.unique(i[i < j] * n + j[i < j])
        i, j = key // n, key % n
        same = (i // 10 == j // 10) ^ (rng.random(len(i)) < 0.08)
        return i, j, np.where(same, 1, -1) * rng.gamma(2.0, 1.0, len(i))
