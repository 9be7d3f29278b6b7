"""Partitions from greedy searches, for the exact solver's upper bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.multicut.problem import Problem, disagreement

Labels = NDArray[np.int64]


def greedy_partitions(problem: Problem) -> list[Labels]:
    """Return what greedy contraction finds; nothing on sparse graphs."""
    if not problem.matrix.shape[0]:
        return []
    from bench.multicut.gaec_dense import contract

    return [improved(problem, contract(problem.matrix.copy()))]


def improved(problem: Problem, labels: Labels) -> Labels:
    """Run Kernighan-Lin from `labels`."""
    if not problem.matrix.shape[0]:
        return labels
    from bench.multicut.klj_dense import improve

    labels = labels.copy()
    improve(problem.matrix, labels, np.zeros((problem.n, problem.n)))
    return labels


def better(problem: Problem, labels: Labels, *others: Labels) -> Labels:
    """Return the partition with the least disagreement, the first of equals."""
    return min((labels, *others), key=lambda each: disagreement(problem, each))


def numbered(labels: Labels) -> Labels:
    """Number the clusters by first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[inverse]
