"""What is to be clustered: the costs of a complete graph, or those of a sparse one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.multicut.costs import check_edges, check_matrix, objective_dense, objective_sparse

if TYPE_CHECKING:
    from typing import Self

    from bench.multicut.problem import CutProblem

Labels = NDArray[np.int64]


class Instance(ABC):
    """Costs of pairs of nodes: log-odds of a join, so positive costs favour one cluster, negative two.

    Costs are checked when an instance is made: `DataError` says what is wrong with them.
    """

    n: int
    """Number of nodes."""

    @abstractmethod
    def shifted(self, shift: float) -> Self:
        """Return the instance with `shift` added to every cost; see `costs.thresholds_to_shifts`."""

    @abstractmethod
    def greedy(self, *, refine: bool = True) -> Labels:
        """Return the clusters (n,) that greedy contraction, then Kernighan-Lin if `refine`, find."""

    @abstractmethod
    def objective(self, labels: NDArray[Any]) -> float:
        """Return the sum of the costs of all pairs within clusters, labels (n,), in float64."""

    @abstractmethod
    def positive_sum(self) -> float:
        """Return the sum of the positive costs: an upper bound of every objective."""

    @abstractmethod
    def range(self) -> tuple[float, float]:
        """Return the lowest and the highest cost of pairs that have one; 0, 0 without any."""

    @abstractmethod
    def positive_costs(self) -> NDArray[Any]:
        """Return the positive costs of all pairs, once each, in any order."""

    @abstractmethod
    def pair_costs(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cost of every pair (a[k], b[k]) of different nodes; 0 where there is none."""

    @abstractmethod
    def problem(self) -> CutProblem:
        """Return the instance as the exact solver reads it."""


@dataclass(frozen=True, eq=False)
class DenseCosts(Instance):
    """The costs of all pairs of nodes: a complete graph."""

    n: int
    """Number of nodes."""
    matrix: NDArray[Any]
    """float32 or float64, shape (n, n), symmetric, finite; the diagonal is ignored."""

    def __init__(self, matrix: ArrayLike, *, symmetrise: bool = False) -> None:
        """Check a matrix, which is not copied if it need not be; see `costs.check_matrix`."""
        object.__setattr__(self, "matrix", check_matrix(matrix, symmetrise=symmetrise))
        object.__setattr__(self, "n", len(self.matrix))

    def shifted(self, shift: float) -> DenseCosts:
        return DenseCosts(self.matrix + self.matrix.dtype.type(shift))

    def greedy(self, *, refine: bool = True) -> Labels:
        from bench.multicut.dense import contract_and_refine

        return contract_and_refine(self.matrix, refine=refine)

    def objective(self, labels: NDArray[Any]) -> float:
        return objective_dense(self.matrix, labels)

    def positive_sum(self) -> float:
        return float(np.triu(np.maximum(self.matrix, 0), 1).sum(dtype=np.float64))

    def range(self) -> tuple[float, float]:
        rows = [row[x + 1 :] for x, row in enumerate(self.matrix[:-1])]
        if not rows:
            return 0.0, 0.0
        return float(min(row.min() for row in rows)), float(max(row.max() for row in rows))

    def positive_costs(self) -> NDArray[Any]:
        rows = (row[x + 1 :] for x, row in enumerate(self.matrix))
        return np.concatenate([row[row > 0] for row in rows])

    def pair_costs(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(self.matrix[a, b], np.float64)

    def problem(self) -> CutProblem:
        from bench.multicut.problem import DenseProblem

        return DenseProblem.of(self.matrix)


@dataclass(frozen=True, eq=False)
class SparseCosts(Instance):
    """The costs of some pairs of nodes; all others cost nothing, and are never joined for their own sake."""

    n: int
    """Number of nodes."""
    i: NDArray[np.int32]
    """(m,) one end of every edge, in [0, n). Repeated edges add up, self loops do not count."""
    j: NDArray[np.int32]
    """(m,) the other end."""
    cost: NDArray[Any]
    """(m,) float32 or float64, finite."""

    def __init__(self, n: int, i: ArrayLike, j: ArrayLike, cost: ArrayLike) -> None:
        """Check an edge list, whose arrays are not copied if they need not be; see `costs.check_edges`."""
        object.__setattr__(self, "n", n)
        for name, array in zip(("i", "j", "cost"), check_edges(n, i, j, cost), strict=True):
            object.__setattr__(self, name, array)

    def shifted(self, shift: float) -> SparseCosts:
        """Return the instance with `shift` added to the cost of every edge."""
        return replace(self, cost=self.cost + self.cost.dtype.type(shift))

    def greedy(self, *, refine: bool = True) -> Labels:
        from bench.multicut.sparse import contract_and_refine

        return contract_and_refine(self.n, self.i, self.j, self.cost, refine=refine)

    def objective(self, labels: NDArray[Any]) -> float:
        return objective_sparse(self.i, self.j, self.cost, labels)

    def positive_sum(self) -> float:
        return float(np.maximum(self.cost, 0).sum(dtype=np.float64))

    def range(self) -> tuple[float, float]:
        cost = self.cost[self.i != self.j]
        return (float(cost.min()), float(cost.max())) if cost.size else (0.0, 0.0)

    def positive_costs(self) -> NDArray[Any]:
        key, total = self._summed()
        positive: NDArray[np.float64] = total[(total > 0) & (key // self.n != key % self.n)]
        return positive

    def pair_costs(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        key, total = self._summed()
        asked = self._key(a, b)
        at = np.searchsorted(key, asked)
        return np.where(np.append(key, -1)[at] == asked, np.append(total, 0.0)[at], 0.0)

    def problem(self) -> CutProblem:
        from bench.multicut.problem import SparseProblem

        return SparseProblem.of(self.n, self.i, self.j, self.cost)

    def _summed(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return every pair that has an edge, as smaller node * n + larger node, ascending; and its cost."""
        key, where = np.unique(self._key(self.i, self.j), return_inverse=True)
        weights = np.asarray(self.cost, np.float64)
        return key, np.asarray(np.bincount(where, weights, len(key)) if len(key) else weights, np.float64)

    def _key(self, i: NDArray[Any], j: NDArray[Any]) -> NDArray[np.int64]:
        low, high = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
        key: NDArray[np.int64] = low * self.n + high
        return key


def as_instance(costs: Instance | ArrayLike) -> Instance:
    """Return an instance as it is, and a matrix of costs (n, n) as `DenseCosts`."""
    return costs if isinstance(costs, Instance) else DenseCosts(costs)
