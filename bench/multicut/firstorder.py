"""Rough solutions of large linear programs that grow, each started from the last.

Restarted Halpern iterations of the primal-dual hybrid gradient method, with a diagonal preconditioner.
Sources: Chambolle, Pock, Journal of Mathematical Imaging and Vision 40 (2011); Lu, Yang, Restarted Halpern
PDHG for linear programming, arXiv 2407.16144 (2024); Pock, Chambolle, ICCV 2011 (preconditioner).
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench.multicut.backends import Relaxed

MOST = 2000
"""Iterations at most."""
BLOCK = 200
"""Iterations between checks of the clock; each block restarts from where the last one ended."""
EVERY = 20
"""Iterations between checks of the accuracy."""


class FirstOrder:
    """Minimise `cost @ x` over x >= 0 subject to rows `values @ x >= lower`; both can be added to."""

    def __init__(self) -> None:
        self._cost = np.empty(0)
        self._start, self._column = np.zeros(1, np.int64), np.empty(0, np.int64)
        self._value, self._lower = np.empty(0), np.empty(0)
        self._x, self._y = np.empty(0), np.empty(0)
        self._weight = 0.0

    def add_columns(self, cost: NDArray[np.float64]) -> None:
        """Append columns."""
        self._cost = np.concatenate([self._cost, cost])
        self._x = np.concatenate([self._x, np.zeros(len(cost))])

    def add_rows(
        self,
        start: NDArray[np.int64],
        column: NDArray[np.int64],
        value: NDArray[np.float64],
        lower: NDArray[np.float64],
        price: NDArray[np.float64],
    ) -> None:
        """Append rows; row r has the entries `start[r]:start[r + 1]`, and a first guess of its price."""
        self._start = np.concatenate([self._start, self._start[-1] + start[1:]])
        self._column = np.concatenate([self._column, column])
        self._value = np.concatenate([self._value, value])
        self._lower = np.concatenate([self._lower, lower])
        self._y = np.concatenate([self._y, price])

    def relax(self, accuracy: float, seconds: float = math.inf) -> Relaxed:
        """Solve until the duality gap and all violations are relatively smaller than `accuracy`."""
        end = time.perf_counter() + seconds
        order = np.argsort(self._column, kind="stable")
        row = np.repeat(np.arange(len(self._lower)), np.diff(self._start))[order]
        begin = np.concatenate([[0], np.cumsum(np.bincount(self._column, minlength=len(self._cost)))])
        if not self._weight:
            self._weight = float(np.linalg.norm(self._cost)) / max(1.0, float(np.linalg.norm(self._lower)))
        by_row = self._start, self._column, self._value
        by_column = begin, row, self._value[order]
        for _ in range(MOST // BLOCK):
            self._x, self._y, self._weight, done = _iterate(
                self._cost, self._lower, by_row, by_column, self._x, self._y, self._weight, accuracy
            )
            if done or time.perf_counter() > end:
                break
        return Relaxed(self._x, self._y, True)


@njit(cache=True)
def _iterate(
    cost: Any, lower: Any, by_row: Any, by_column: Any, x: Any, y: Any, weight: float, accuracy: float
) -> Any:
    start, column, value = by_row
    begin, row, by_column_value = by_column
    n, m = cost.size, lower.size
    tau, sigma = np.ones(n), np.ones(m)
    for j in range(n):
        total = 0.0
        for k in range(begin[j], begin[j + 1]):
            total += abs(by_column_value[k])
        tau[j] = 1 / max(total, 1e-9)
    for i in range(m):
        total = 0.0
        for k in range(start[i], start[i + 1]):
            total += abs(value[k])
        sigma[i] = 1 / max(total, 1e-9)
    x, y = x.copy(), y.copy()
    anchor_x, anchor_y = x.copy(), y.copy()
    next_x, next_y = x.copy(), y.copy()
    cost_norm, lower_norm = np.sqrt((cost * cost).sum()), np.sqrt((lower * lower).sum())
    since, first_error, last_error, iteration, done = 0, np.inf, np.inf, 0, False
    while iteration < BLOCK:
        iteration += 1
        dual_wrong, pays = 0.0, 0.0
        error = 0.0
        for j in range(n):
            total = cost[j]
            for k in range(begin[j], begin[j + 1]):
                total -= by_column_value[k] * y[row[k]]
            dual_wrong += min(total, 0.0) ** 2
            to = max(0.0, x[j] - tau[j] / weight * total)
            error += weight * (to - x[j]) ** 2 / tau[j]
            next_x[j] = to
            pays += cost[j] * to
        wrong, gets = 0.0, 0.0
        for i in range(m):
            total, here = lower[i], lower[i]
            for k in range(start[i], start[i + 1]):
                to = next_x[column[k]]
                total -= value[k] * (2 * to - x[column[k]])
                here -= value[k] * to
            wrong += max(here, 0.0) ** 2
            to = max(0.0, y[i] + sigma[i] * weight * total)
            error += (to - y[i]) ** 2 / (sigma[i] * weight)
            next_y[i] = to
            gets += lower[i] * to
        accurate = (
            np.sqrt(wrong) <= accuracy * (1 + lower_norm)
            and np.sqrt(dual_wrong) <= accuracy * (1 + cost_norm)
            and abs(pays - gets) <= accuracy * (1 + abs(pays) + abs(gets))
        )
        done = accurate and iteration % EVERY == 0
        if done:
            break
        since += 1
        error = np.sqrt(error)
        if since == 1:
            first_error = error
        restart = (
            error <= 0.2 * first_error
            or (error <= 0.8 * first_error and error > last_error)
            or since >= 0.36 * iteration + EVERY
        )
        last_error = error
        if restart and since > 1:
            moved_x, moved_y = 0.0, 0.0
            for j in range(n):
                moved_x += (next_x[j] - anchor_x[j]) ** 2 / tau[j]
            for i in range(m):
                moved_y += (next_y[i] - anchor_y[i]) ** 2 / sigma[i]
            if moved_x > 1e-20 and moved_y > 1e-20:
                weight = np.exp(0.5 * np.log(np.sqrt(moved_y / moved_x)) + 0.5 * np.log(weight))
            x[:], y[:] = next_x, next_y
            anchor_x[:], anchor_y[:] = next_x, next_y
            since, last_error = 0, np.inf
            continue
        share = since / (since + 1.0)
        for j in range(n):
            x[j] = share * (2 * next_x[j] - x[j]) + (1 - share) * anchor_x[j]
        for i in range(m):
            y[i] = share * (2 * next_y[i] - y[i]) + (1 - share) * anchor_y[i]
    return next_x, next_y, weight, done
