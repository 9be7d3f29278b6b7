"""Small instances, and slow answers that are surely right."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def partitions(n: int) -> NDArray[np.int64]:
    """All partitions of n nodes as labels, shape (Bell(n), n)."""

    def grow(prefix: list[int]) -> Iterator[list[int]]:
        if len(prefix) == n:
            yield prefix
            return
        for label in range(max(prefix, default=-1) + 2):
            yield from grow([*prefix, label])

    return np.array(list(grow([])), np.int64)


def best_objective(costs: NDArray[np.float64]) -> float:
    """Largest sum of costs within clusters, over all partitions."""
    labels = partitions(len(costs))
    a, b = np.triu_indices(len(costs), 1)
    return float(((labels[:, a] == labels[:, b]) @ costs[a, b]).max(initial=0.0))


def symmetric(n: int, rng: np.random.Generator, kind: str) -> NDArray[np.float64]:
    """A random symmetric matrix of one of KINDS."""
    c = rng.normal(size=(n, n))
    match kind:
        case "tied":
            c = np.sign(c)
        case "ties and zeros":
            c = rng.integers(-2, 3, (n, n)).astype(float)
        case "positive":
            c = np.abs(c)
        case "negative":
            c = -np.abs(c)
        case "zero":
            c = np.zeros((n, n))
        case "scattered":
            c = c * (rng.random((n, n)) < 0.5)
        case "shifted":
            c = c - 0.5
        case "large and small":
            c = c * 10.0 ** rng.integers(-3, 4, (n, n))
    c = np.triu(c, 1)
    return c + c.T


KINDS = (
    "normal",
    "tied",
    "ties and zeros",
    "positive",
    "negative",
    "zero",
    "scattered",
    "shifted",
    "large and small",
)


def planted(n: int, noise: float, seed: int, size: int = 6) -> NDArray[np.float64]:
    """Classes of `size` nodes, seen through noise: the larger it is, the harder the instance."""
    rng = np.random.default_rng([n, seed])
    labels = rng.permutation(np.arange(n) // size)
    c = np.where(labels[:, None] == labels, 1.0, -1.0) + noise * rng.normal(size=(n, n))
    c = np.triu(c, 1)
    return c + c.T


def edges(costs: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The nonzero pairs of a matrix as an edge list."""
    i, j = np.nonzero(np.triu(costs, 1))
    return i, j, costs[i, j]


def objective(costs: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Sum of costs within clusters."""
    a, b = np.triu_indices(len(costs), 1)
    return float(costs[a, b][labels[a] == labels[b]].sum())
