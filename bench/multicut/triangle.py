"""The plain integer program: one variable per pair, all triangle inequalities.

Shares nothing with the cycle formulation but the solver, so it serves as a check of it, up to about
20 nodes. On unstructured costs, too, distinguishing cases over cycles is faster.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.multicut.backends import make_model
from bench.multicut.graph import components
from bench.multicut.problem import CutProblem


def solve_triangles(
    problem: CutProblem,
    labels: NDArray[np.int64],
    solver: Literal["gurobi", "highs"],
    seed: int,
    seconds: float,
) -> tuple[NDArray[np.int64], float]:
    """Minimise the disagreement over all partitions.

    Returns
    -------
    labels : the best partition found in `seconds`, or the one given
    bound : no partition has a smaller disagreement

    Notes
    -----
    Variable 1 = the pair is cut. For all i, j, k: cut ik <= cut ij + cut jk.
    Source: Groetschel, Wakabayashi, A cutting plane algorithm for a clustering problem,
    Mathematical Programming 45 (1989).
    """
    n = problem.n
    a, b = np.triu_indices(n, 1)
    cost = problem.upper_matrix()[a, b]
    number = np.zeros((n, n), np.int64)
    number[a, b] = number[b, a] = np.arange(len(a))
    i, j, k = (t.ravel() for t in np.meshgrid(*[np.arange(n)] * 3, indexing="ij"))
    keep = (i < j) & (j < k)
    ij, ik, jk = number[i[keep], j[keep]], number[i[keep], k[keep]], number[j[keep], k[keep]]
    column = np.concatenate([np.stack(t, 1) for t in ((ij, jk, ik), (ij, ik, jk), (ik, jk, ij))])
    model = make_model(solver, seed)
    model.add_columns(cost)
    start = 3 * np.arange(len(column) + 1)
    model.add_rows(start, column.ravel(), np.tile([1.0, 1.0, -1.0], len(column)), np.zeros(len(column)))
    result = model.solve(seconds, (labels[a] != labels[b]).astype(np.float64))
    if result.x is not None:
        labels = components(n, a.astype(np.int32), b.astype(np.int32), result.x < 0.5)
    return labels, result.bound - cost[cost < 0].sum()
