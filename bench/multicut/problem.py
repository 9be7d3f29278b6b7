"""A multicut instance as the exact solver sees it: a complete or a sparse graph, with the same methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.multicut.graph import Graph, disagreement, incidence, pair_cost, pair_costs, positive_pairs

Labels = NDArray[np.int64]

DENSE_UP_TO = 1500
"""Pieces of a sparse graph with up to this many nodes become matrices."""


class Piece(NamedTuple):
    """What becomes of a connected piece of a problem: which nodes merge, and which must stay apart."""

    size: int
    """Nodes of the new problem."""
    nodes: NDArray[np.int64]
    """(k,) old nodes in the piece."""
    place: NDArray[np.int64]
    """(n,) the new node of every old one; meaningful for `nodes` only."""
    number: int
    """Of this piece."""
    home: NDArray[np.int64]
    """(n,) number of the piece that each old node is in."""
    edges: NDArray[np.int64]
    """Positions of the positive edges with both ends in the piece."""
    cut: NDArray[np.bool_]
    """For each of `edges`, whether its ends must stay apart."""
    penalty: float
    """> 0; cost of joining ends that must stay apart."""


class CutProblem(ABC):
    """Positive edges, and negative pairs.

    A partition's *disagreement* is the sum of |cost| over positive edges that it cuts and negative
    pairs that it joins. Objective = `positive` - disagreement, so the least disagreement is sought.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        """For compiled code."""
        self.n = graph.n
        self.u, self.v, self.cost = graph.u, graph.v, graph.cost
        """(m,) each: ends u < v and costs > 0 of the positive edges, in lexicographic order."""

    @property
    def positive(self) -> float:
        """Sum of the positive costs: an upper bound of the objective."""
        return float(self.cost.sum())

    def disagreement(self, labels: Labels) -> float:
        """Return the disagreement of a partition, labels (n,)."""
        return float(disagreement(self.graph, labels))

    def pair_cost(self, x: int, y: int) -> float:
        """Return the cost of the pair (x, y) if it is negative or the graph is complete, else 0."""
        return float(pair_cost(self.graph, x, y))

    def pair_costs(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
        """Return `pair_cost` of every (x[k], y[k])."""
        costs: NDArray[np.float64] = pair_costs(self.graph, x, y)
        return costs

    @abstractmethod
    def greedy_partitions(self) -> list[Labels]:
        """Return what greedy searches find, for upper bounds inside the search tree."""

    @abstractmethod
    def improved(self, labels: Labels) -> Labels:
        """Return `labels`, or what a local search makes of them."""

    @abstractmethod
    def contracted(self, piece: Piece) -> CutProblem:
        """Return the problem that remains of a piece: parallel edges add up."""

    @abstractmethod
    def upper_matrix(self) -> NDArray[np.float64]:
        """Return the costs of all pairs x < y as a matrix (n, n); ignore its lower triangle."""


class DenseProblem(CutProblem):
    """A complete graph: every pair has a cost."""

    @classmethod
    def of(cls, costs: NDArray[Any]) -> DenseProblem:
        """Read a symmetric (n, n) float32 or float64 matrix without copying it; its diagonal is ignored."""
        costs = np.ascontiguousarray(costs)
        u, v, cost = positive_pairs(costs)
        nothing = np.zeros(len(costs) + 1, np.int64), np.empty(0, np.int32), np.empty(0)
        return cls(Graph(len(costs), u, v, cost, *incidence(len(costs), u, v), True, costs, *nothing))

    def repriced(
        self, cost: NDArray[np.float64], x: NDArray[np.int64], y: NDArray[np.int64], pair: NDArray[np.float64]
    ) -> DenseProblem:
        """Return the problem with costs (m,) >= 0 of its positive edges, and `pair` <= 0 of pairs (x, y)."""
        matrix = self.graph.matrix.astype(np.float64)
        matrix[self.u, self.v] = matrix[self.v, self.u] = cost
        matrix[x, y] = matrix[y, x] = pair
        return DenseProblem(self.graph._replace(cost=cost, matrix=matrix))

    def greedy_partitions(self) -> list[Labels]:
        """Return what contraction and Kernighan-Lin find."""
        from bench.multicut.gaec_dense import contract

        return [self.improved(contract(self.graph.matrix.copy()))]

    def improved(self, labels: Labels) -> Labels:
        """Run Kernighan-Lin from `labels`."""
        from bench.multicut.klj_dense import improve

        labels = labels.copy()
        improve(self.graph.matrix, labels, np.zeros((self.n, self.n)))
        return labels

    def contracted(self, piece: Piece) -> DenseProblem:
        matrix = np.zeros((piece.size, piece.size))
        _contract(self.graph.matrix, piece.nodes, piece.place, matrix)
        return _with_penalties(matrix, self, piece)

    def upper_matrix(self) -> NDArray[np.float64]:
        return self.graph.matrix.astype(np.float64)


class SparseProblem(CutProblem):
    """A sparse graph: pairs without an edge cost nothing."""

    @classmethod
    def of(cls, n: int, i: NDArray[Any], j: NDArray[Any], cost: NDArray[Any]) -> SparseProblem:
        """Read edges (i, j) with costs, shape (m,) each; repeated edges add up, self loops do not count."""
        low, high = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
        key, value = (low * n + high)[low < high], np.asarray(cost, np.float64)[low < high]
        if not (np.diff(key) > 0).all():
            key, where = np.unique(key, return_inverse=True)
            value = np.bincount(where, value, len(key)) if len(key) else np.empty(0)
        u, v = (key // max(n, 1)).astype(np.int32), (key % max(n, 1)).astype(np.int32)
        plus, minus = value > 0, value < 0
        row, other, pair = incidence(n, u[minus], v[minus])
        up, vp = u[plus], v[plus]
        positive = n, up, vp, value[plus], *incidence(n, up, vp)
        return cls(Graph(*positive, False, np.empty((0, 0)), row, other, value[minus][pair]))

    def greedy_partitions(self) -> list[Labels]:
        """Return nothing: on sparse graphs only the whole instance is searched greedily."""
        return []

    def improved(self, labels: Labels) -> Labels:
        """Return `labels` as they are."""
        return labels

    def contracted(self, piece: Piece) -> CutProblem:
        """Return the piece, as a matrix up to `DENSE_UP_TO` nodes."""
        i, j, pair = self._pairs_within(piece)
        if piece.size <= DENSE_UP_TO:
            edges = piece.edges[~piece.cut]
            matrix = np.zeros((piece.size, piece.size))
            a, b = piece.place[np.append(i, self.u[edges])], piece.place[np.append(j, self.v[edges])]
            np.add.at(matrix, (a, b), np.append(pair, self.cost[edges]))
            matrix += matrix.T
            return _with_penalties(matrix, self, piece)
        # Parallel edges add up, so what must stay apart gets a penalty that outweighs all of them.
        cost = self.cost[piece.edges]
        strong = -piece.penalty - float(cost.sum())
        cost = np.append(pair, np.where(piece.cut, strong, cost))
        a, b = piece.place[np.append(i, self.u[piece.edges])], piece.place[np.append(j, self.v[piece.edges])]
        return SparseProblem.of(piece.size, a[a != b], b[a != b], cost[a != b])

    def upper_matrix(self) -> NDArray[np.float64]:
        graph, matrix = self.graph, np.zeros((self.n, self.n))
        matrix[self.u, self.v] = self.cost
        matrix[np.repeat(np.arange(self.n), np.diff(graph.row)), graph.other] = graph.pair_cost
        return np.asarray(np.triu(matrix))

    def _pairs_within(self, piece: Piece) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float64]]:
        """List the negative pairs with both ends in a piece."""
        graph, nodes = self.graph, piece.nodes
        length = np.diff(graph.row)[nodes]
        i = np.repeat(nodes, length)
        at = np.repeat(graph.row[nodes] - np.cumsum(length) + length, length) + np.arange(length.sum())
        j = graph.other[at].astype(np.int64)
        keep = (i < j) & (piece.home[j] == piece.number)
        return i[keep], j[keep], graph.pair_cost[at][keep]


def _with_penalties(matrix: NDArray[np.float64], problem: CutProblem, piece: Piece) -> DenseProblem:
    """Forbid the joins that a piece forbids, in the matrix of its costs."""
    apart = piece.edges[piece.cut]
    a, b = piece.place[problem.u[apart]], piece.place[problem.v[apart]]
    matrix[a, b] = np.minimum(matrix[a, b], -piece.penalty)
    matrix[b, a] = matrix[a, b]
    np.fill_diagonal(matrix, 0)
    return DenseProblem.of(matrix)


@njit(cache=True)
def _contract(costs: Any, nodes: Any, place: Any, matrix: Any) -> None:
    for a in range(nodes.size):
        x = nodes[a]
        for b in range(nodes.size):
            matrix[place[x], place[nodes[b]]] += costs[x, nodes[b]]
