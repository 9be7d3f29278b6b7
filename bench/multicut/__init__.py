"""Minimum cost multicut: costs of joining pairs to clusters. Importing this compiles nothing."""

from bench.multicut.costs import costs_from_probabilities, objective_dense, objective_sparse
from bench.multicut.dense import greedy_dense

__all__ = ["costs_from_probabilities", "greedy_dense", "objective_dense", "objective_sparse"]
