"""Proof of an upper bound on the objective, and an independent checker.

The proof is a list of conflicted cycles, each a negative pair and a path of positive pairs between
its ends, with a weight. Every partition violates at least one pair of each cycle. So if the weights
over any one pair sum to no more than its |cost|, the disagreement of every partition is at least the sum of
all weights, and no objective exceeds the sum of the positive costs less the sum of all weights.

Weights are whole multiples of a power of two, so all of this is checked in exact integer arithmetic.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from bench.errors import DataError
from bench.multicut.instance import Instance, as_instance
from bench.multicut.packing import Cycles
from bench.multicut.problem import CutProblem

_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
BITS = 40
"""Weights are multiples of 2^-40 of the largest |cost|, rounded up to a power of two."""


@dataclass(frozen=True)
class Certificate:
    """Weighted conflicted cycles; save it, hand it on, and let `verify` judge it."""

    n: int
    """Number of nodes of the instance."""
    start: NDArray[np.int64]
    """(k + 1,) cycle c visits `node[start[c]:start[c + 1]]`; its negative pair is the last and the first."""
    node: NDArray[np.int32]
    """Nodes of all cycles, one cycle after another, each in 0 to n - 1."""
    weight: NDArray[np.int64]
    """(k,) > 0, in units of 2^exponent."""
    exponent: int
    """Of two: the unit of the weights."""
    upper_bound: float
    """What the certificate claims: no partition has a larger objective. `verify` recomputes it."""

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                n=self.n,
                start=self.start,
                node=self.node,
                weight=self.weight,
                exponent=self.exponent,
                upper_bound=self.upper_bound,
            )

    @classmethod
    def load(cls, path: Path) -> Certificate:
        """Read an .npz file. Raises `DataError` if it holds no certificate; what it claims is not checked."""
        try:
            with np.load(path, allow_pickle=False) as file:
                start, node, weight = (np.asarray(file[name]) for name in ("start", "node", "weight"))
                n, exponent, bound = (file[name].item() for name in ("n", "exponent", "upper_bound"))
        except _UNREADABLE as error:
            raise DataError(f"{path} is not a certificate: {error}") from error
        if not (isinstance(n, int) and isinstance(exponent, int) and isinstance(bound, float)):
            raise DataError(f"{path} is not a certificate: n, exponent or upper_bound has the wrong type")
        return cls(n, start, node, weight, exponent, bound)


def certify(problem: CutProblem, cycles: Cycles) -> Certificate:
    """Turn cycles whose weights respect every |cost| into a certificate, rounding the weights down."""
    largest = max(problem.cost.max(initial=0.0), -problem.pair_costs(cycles.u, cycles.v).min(initial=0.0))
    exponent = math.frexp(largest)[1] - BITS
    weight = np.floor(np.ldexp(cycles.weight, -exponent)).astype(np.int64)
    cycles, weight = cycles.take(weight > 0), weight[weight > 0]
    start, node = _nodes(problem, cycles)
    bound = _bound(problem.cost, weight, exponent)
    return Certificate(problem.n, start, node, weight, exponent, bound)


def verify(certificate: Certificate, costs: Instance | ArrayLike) -> float:
    """Check that a certificate proves an upper bound on the objective, without trusting any solver.

    Parameters
    ----------
    certificate : of a `Solution`, or loaded from a file.
    costs : the instance that it is about: `DenseCosts`, `SparseCosts`, or a symmetric matrix of finite costs,
        shape (n, n).

    Returns
    -------
    The bound, recomputed in exact arithmetic: no partition has a larger objective.

    Raises
    ------
    DataError : it proves nothing about this instance; the text says why.

    Examples
    --------
    >>> costs = [[0, 2, -1], [2, 0, 3], [-1, 3, 0]]
    >>> found = cutjoin.multicut(costs, solver="exact", certificate=True)
    >>> found.objective, round(cutjoin.verify(found.certificate, costs), 6)
    (4.0, 4.0)
    """
    instance = as_instance(costs)
    a, b = _pairs(certificate, instance.n)
    return _check(certificate, a, b, instance.pair_costs(a, b), instance.positive_costs())


def _pairs(certificate: Certificate, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the pairs that the cycles visit in turn; refuse anything else than cycles over n nodes."""
    start, node, weight = certificate.start, certificate.node, certificate.weight
    for name, array in (("start", start), ("node", node), ("weight", weight)):
        if array.ndim != 1 or array.dtype.kind != "i":
            raise DataError(f"certificate refused: {name} must be a list of integers")
    if certificate.n != n:
        raise DataError(f"certificate refused: it is about {certificate.n} nodes, the instance has {n}")
    length = np.diff(start)
    if len(start) != len(weight) + 1 or start[0] != 0 or start[-1] != len(node) or (length < 3).any():
        raise DataError("certificate refused: a cycle has fewer than three nodes, or the lists do not match")
    if len(node) and (node.min() < 0 or node.max() >= n):
        raise DataError(f"certificate refused: it names nodes outside 0 to {n - 1}")
    a = node.astype(np.int64)
    visits = np.repeat(np.arange(len(length)), length) * n + a
    if len(np.unique(visits)) != len(visits):
        raise DataError("certificate refused: a cycle visits a node twice")
    b = np.roll(a, -1)
    b[start[1:] - 1] = a[start[:-1]]
    return a, b


def _check(
    certificate: Certificate,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    cost: NDArray[np.float64],
    positive: NDArray[Any],
) -> float:
    """Check signs and loads of the visited pairs (a, b) with their costs; return the bound."""
    last = np.zeros(len(a), np.bool_)
    last[certificate.start[1:] - 1] = True
    if not ((cost < 0) == last).all() or not (cost != 0).all():
        raise DataError("certificate refused: a cycle is not one negative pair and a path of positive ones")
    if (certificate.weight < 0).any():
        raise DataError("certificate refused: a weight is negative")
    _, first, pair = np.unique(_key(certificate.n, a, b), return_index=True, return_inverse=True)
    room = np.floor(np.ldexp(np.abs(cost[first]), -certificate.exponent))
    # Loads are summed in two halves, neither of which can overflow.
    weight = np.repeat(certificate.weight, np.diff(certificate.start))
    high, low = np.zeros(len(first), np.int64), np.zeros(len(first), np.int64)
    np.add.at(high, pair, weight >> 31)
    np.add.at(low, pair, weight & (2**31 - 1))
    high += low >> 31
    low &= 2**31 - 1
    if (high >= 2**22).any() or (room < (high << 31) + low).any():
        raise DataError("certificate refused: the weights over a pair sum to more than its cost")
    bound = _bound(positive, certificate.weight, certificate.exponent)
    if not bound <= certificate.upper_bound:
        raise DataError(f"certificate refused: it claims {certificate.upper_bound} but proves only {bound}")
    return bound


def _bound(positive: NDArray[Any], weight: NDArray[np.int64], exponent: int) -> float:
    """Sum of the positive costs less all weights, correctly rounded and then up by one."""
    total = sum(weight.tolist())
    high = total >> 53 << 53
    terms = [math.ldexp(-high, exponent), math.ldexp(-(total - high), exponent)]
    return math.nextafter(math.fsum([*positive.astype(np.float64).tolist(), *terms]), math.inf)


def _key(n: int, i: NDArray[Any], j: NDArray[Any]) -> NDArray[np.int64]:
    low, high = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
    key: NDArray[np.int64] = low * n + high
    return key


def _nodes(problem: CutProblem, cycles: Cycles) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Walk every path from u to v and list its nodes."""
    start = cycles.start + np.arange(len(cycles.start))
    return start, _walk(problem.u, problem.v, cycles, start)


@njit(cache=True)
def _walk(u: Any, v: Any, cycles: Any, start: Any) -> Any:
    node = np.empty(start[-1], np.int32)
    for c in range(cycles.u.size):
        x = cycles.u[c]
        node[start[c]] = x
        for a in range(cycles.start[c], cycles.start[c + 1]):
            e = cycles.edge[a]
            x = v[e] if u[e] == x else u[e]
            node[start[c] + 1 + a - cycles.start[c]] = x
    return node
