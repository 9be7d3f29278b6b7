"""Minimum cost multicut: from the costs of joining pairs to clusters. Importing this compiles nothing."""

from bench.multicut.costs import (
    check_edges,
    check_matrix,
    costs_from_probabilities,
    objective_dense,
    objective_sparse,
)
from bench.multicut.dense import greedy_dense
from bench.multicut.sparse import greedy_sparse

__all__ = [
    "check_edges",
    "check_matrix",
    "costs_from_probabilities",
    "greedy_dense",
    "greedy_sparse",
    "objective_dense",
    "objective_sparse",
]
