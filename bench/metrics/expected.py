"""Expected mutual information of random clusterings with given sizes."""

from __future__ import annotations

import numpy as np

from bench.metrics.contingency import FloatArray, IntArray

_TAIL = 41.0
"""Terms are dropped where the hypergeometric tail has less mass than exp(-41) = 1.6e-18."""
_CHUNK = 1 << 17
"""Terms evaluated at once: a few arrays of this length stay in the processor's cache."""


def expected_information(row_sums: IntArray, col_sums: IntArray, n: int, *, exact: bool = True) -> FloatArray:
    """Return the expected mutual information in bits under the permutation model, shape (tables,).

    Parameters
    ----------
    row_sums, col_sums : int64, shapes (tables, rows) and (tables, columns); zeros count for nothing
    n : number of images, the sum of either in every table
    exact : evaluate every pair of sizes that occurs. Otherwise interpolate (bilinearly) between
        fewer sizes that many tables share: all within 32 of 0 or n, and then 5 % apart.

    Notes
    -----
    Vinh, Epps and Bailey 2010, eq. 24a. The expectation is a sum over pairs (class, cluster) of a
    function of their two sizes only, so equal sizes are evaluated once: at most sqrt(2 n) sizes differ.
    """
    a, rows = _spread(row_sums, np.unique(row_sums) if exact else _grid(n))
    b, cols = _spread(col_sums, np.unique(col_sums) if exact else _grid(n))
    total: FloatArray = ((rows @ _cell_information(a, b, n)) * cols).sum(axis=1)
    return total


def _spread(sums: IntArray, grid: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the sizes of the grid in use (k,) and how often each table has them, shape (tables, k)."""
    below = np.searchsorted(grid, sums, side="right") - 1
    above = np.minimum(below + 1, grid.size - 1)
    gap = np.maximum(grid[above] - grid[below], 1)
    share = (sums - grid[below]) / gap
    first: IntArray = np.arange(len(sums))[:, None] * grid.size
    size = len(sums) * grid.size
    flat = np.bincount((first + below).ravel(), (1 - share).ravel(), size)
    flat += np.bincount((first + above).ravel(), share.ravel(), size)
    weights = flat.astype(np.float64).reshape(len(sums), -1)
    used = weights.any(axis=0) & (grid > 0)
    return grid[used].astype(np.float64), weights[:, used]


def _grid(n: int) -> IntArray:
    """Return sizes from 0 to n, dense at both ends, where the expectation bends most."""
    powers = 32 * 1.05 ** np.arange(1, 1 + max(0.0, np.log(n / 32) / np.log(1.05)))
    low = np.concatenate([np.arange(min(n, 32) + 1), powers.astype(np.int64)])
    return np.union1d(low, n - low)


def _cell_information(a: FloatArray, b: FloatArray, n: int) -> FloatArray:
    """Return E[x / n log2(n x / (a b))], x hypergeometric, for all pairs of sizes; shape (len(a), len(b)).

    The probabilities follow from their exact ratios, starting at the low end of a window that holds
    all but `exp(-_TAIL)` of the mass (Bernstein's inequality), and are normalised by their sum.
    """
    size_a, size_b = (x.ravel() for x in np.broadcast_arrays(a[:, None], b[None, :]))
    mean = size_a * size_b / n
    variance = mean * (n - size_a) / n * (n - size_b) / max(n - 1, 1)
    reach = _TAIL / 3 + np.sqrt(_TAIL**2 / 9 + 2 * _TAIL * variance)
    low = np.maximum(np.maximum(0, size_a + size_b - n), np.floor(mean - reach))
    high = np.minimum(np.minimum(size_a, size_b), np.ceil(mean + reach))
    width = (high - low).astype(np.int64) + 1
    order = np.argsort(-width, kind="stable")
    result = np.empty(mean.size)
    start = 0
    while start < order.size:
        widest = int(width[order[start]])
        i = order[start : start + max(1, _CHUNK // widest)]
        result[i] = _window(size_a[i], size_b[i], mean[i], low[i], widest, n)
        start += i.size
    bits: FloatArray = (result / (n * np.log(2))).reshape(a.size, b.size)
    return bits


def _window(
    a: FloatArray, b: FloatArray, mean: FloatArray, low: FloatArray, width: int, n: int
) -> FloatArray:
    """Return E[x log(x / mean)] in nats; beyond the support, one ratio is 0 and so is all that follows."""
    x = low[:, None] + np.arange(width)
    a, b, mean = a[:, None], b[:, None], mean[:, None]
    p = np.ones_like(x)
    later = x[:, 1:]
    np.divide((a - later + 1) * (b - later + 1), later * (n - a - b + later), out=p[:, 1:])
    np.cumprod(p, axis=1, out=p)
    # x - mean has expectation 0; subtracting it makes every term positive, so that none cancel
    gain = x * np.log(np.maximum(x, 1) / mean) - (x - mean)
    total: FloatArray = (p * gain).sum(axis=1) / p.sum(axis=1)
    return total
