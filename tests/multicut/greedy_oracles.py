"""Slow and plain: what the greedy solvers are held against."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def partitions(n: int) -> Iterator[np.ndarray]:
    """All partitions of n nodes, as labels numbered by first appearance."""

    def grow(labels: list[int]) -> Iterator[np.ndarray]:
        if len(labels) == n:
            yield np.array(labels)
            return
        for k in range(max(labels, default=-1) + 2):
            yield from grow([*labels, k])

    return grow([])


def objective(costs: np.ndarray, labels: np.ndarray) -> float:
    n = len(labels)
    return float(sum(costs[i, j] for i in range(n) for j in range(i) if labels[i] == labels[j]))


def optimum(costs: np.ndarray) -> float:
    return max(objective(costs, labels) for labels in partitions(len(costs)))


def contract(costs: np.ndarray) -> np.ndarray:
    """Greedy additive edge contraction; ties go to the smallest pair of smallest nodes."""
    clusters = {v: [v] for v in range(len(costs))}
    while True:
        pairs = [
            (-sum(costs[i, j] for i in clusters[a] for j in clusters[b]), a, b)
            for a in clusters
            for b in clusters
            if a < b
        ]
        if not pairs or min(pairs)[0] >= 0:
            break
        _, a, b = min(pairs)
        clusters[a] += clusters.pop(b)
    labels = np.empty(len(costs), int)
    for number, a in enumerate(sorted(clusters)):
        labels[clusters[a]] = number
    return labels


def best_local_gain(costs: np.ndarray, labels: np.ndarray) -> float:
    """Largest gain of one move of a node (also to a new cluster) or one join of two clusters."""
    now, gains = objective(costs, labels), [0.0]
    ids = sorted(set(labels.tolist()))
    for v in range(len(labels)):
        for k in [*ids, max(ids) + 1]:
            changed = labels.copy()
            changed[v] = k
            gains.append(objective(costs, changed) - now)
    for a in ids:
        gains += [objective(costs, np.where(labels == a, b, labels)) - now for b in ids if b < a]
    return max(gains)


def random_costs(n: int, seed: int, kind: str = "normal") -> np.ndarray:
    """Symmetric costs, diagonal 0. "tied" costs are small integers: sums are exact and often equal."""
    rng = np.random.default_rng([n, seed])
    upper = {
        "normal": lambda: rng.normal(-0.3, 1, (n, n)),
        "tied": lambda: rng.integers(-2, 3, (n, n)).astype(float),
        "positive": lambda: rng.random((n, n)) + 0.01,
        "negative": lambda: -rng.random((n, n)) - 0.01,
        "zero": lambda: np.zeros((n, n)),
        "planted": lambda: rng.normal(
            np.where(np.equal.outer(k := rng.integers(0, 1 + n // 4, n), k), 1.0, -1.0), 1.5
        ),
    }[kind]()
    costs = np.triu(upper, 1)
    return np.asarray(costs + costs.T)


KINDS = ("normal", "tied", "positive", "negative", "zero", "planted")
