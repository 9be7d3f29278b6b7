"""Minimum cost multicut: from the costs of joining pairs to clusters.

`solve(costs)` is the way in; the names below are public, and load when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.multicut.certificate import verify
    from bench.multicut.costs import (
        check_edges,
        check_matrix,
        costs_from_probabilities,
        objective_dense,
        objective_sparse,
    )
    from bench.multicut.dense import greedy_dense
    from bench.multicut.instance import DenseCosts, Instance, SparseCosts
    from bench.multicut.solving import solve
    from bench.multicut.sparse import greedy_sparse

__all__ = [
    "DenseCosts",
    "Instance",
    "SparseCosts",
    "check_edges",
    "check_matrix",
    "costs_from_probabilities",
    "greedy_dense",
    "greedy_sparse",
    "objective_dense",
    "objective_sparse",
    "solve",
    "verify",
]
_HOMES = {
    "certificate": ("verify",),
    "costs": (
        "check_edges",
        "check_matrix",
        "costs_from_probabilities",
        "objective_dense",
        "objective_sparse",
    ),
    "dense": ("greedy_dense",),
    "instance": ("DenseCosts", "Instance", "SparseCosts"),
    "solving": ("solve",),
    "sparse": ("greedy_sparse",),
}


def __getattr__(name: str) -> Any:
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
