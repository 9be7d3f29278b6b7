"""Low frequencies of images, and the search for pairs of images that differ little in them.

The cosines sqrt(2) cos(pi u x), u = 0, 1, ..., are orthonormal on [0, 1]. By Bessel's inequality the
distance of a few coefficients never exceeds the root mean square (rms) difference of the pixels; what is
far apart here is so in the images. Turning or flipping an image swaps coefficients or changes signs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

WAVES = 12
"""Frequencies per side that the search compares."""
CROPS = (0, 1, -1)
"""What a view leaves out of a side: nothing, the first line, the last line."""
_BLOCK = 256
_AT_ONCE = 13
"""Divides the number of features that no turn changes."""
_I, _J = np.triu_indices(WAVES)
_ORDER = np.lexsort((_I, _I + _J))
_I, _J = _I[_ORDER], _J[_ORDER]


@functools.lru_cache(maxsize=4096)
def cosines(side: int, waves: int) -> NDArray[np.float32]:
    """Return what `side` equal pixels contribute to each coefficient, float32, shape (waves, side)."""
    edges, u = np.arange(side + 1) / side, np.arange(1, waves)[:, None]
    rest = np.sqrt(2) * np.diff(np.sin(np.pi * u * edges), axis=1) / (np.pi * u)
    return np.concatenate([np.full((1, side), 1 / side), rest]).astype(np.float32)


def views(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the coefficients of an image with at most one line left out of each side.

    Parameters
    ----------
    image : float32, shape (height, width).

    Returns
    -------
    float32, shape (3, 3, WAVES, WAVES): by what is left out vertically, then horizontally (`CROPS`).
    """
    height, width = image.shape
    found = np.asarray(_cropped_cosines(height) @ image @ _cropped_cosines(width).T, np.float32)
    return found.reshape(3, WAVES, 3, WAVES).transpose(0, 2, 1, 3)


def contrast(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the rms of images without their mean and a gradient of light, shape (...).

    Parameters
    ----------
    coefficients : float32, shape (..., waves, waves).
    """
    squares = np.square(coefficients)
    squares[..., [0, 0, 1], [0, 1, 0]] = 0
    return np.asarray(np.sqrt(squares.sum(axis=(-2, -1))), np.float32)


def turned(image: NDArray[Any], turn: int) -> NDArray[Any]:
    """Return one of the 8 symmetries of an image of shape (height, width, ...).

    Bits of `turn`: 4 swaps the axes, then 1 flips the first axis and 2 the second.
    """
    image = image.swapaxes(0, 1) if turn & 4 else image
    image = image[::-1] if turn & 1 else image
    return image[:, ::-1] if turn & 2 else image


@dataclass(frozen=True)
class Views:
    """One view of each of some images.

    Attributes
    ----------
    rows : int64, shape (n,): the images.
    sides : int64, shape (n, 2): height and width, px.
    waves : float32, shape (n, WAVES, WAVES).
    reach : float32, shape (n,): largest distance at which the image may match another.
    """

    rows: NDArray[np.int64]
    sides: NDArray[np.int64]
    waves: NDArray[np.float32]
    reach: NDArray[np.float32]


@dataclass(frozen=True)
class ViewPairs:
    """ViewPairs of views that differ little in their low frequencies.

    Attributes
    ----------
    first, second : int64, shape (m,): rows.
    turn : int64, shape (m,): what `turned` must do to the second.
    distance : float32, shape (m,): a lower bound on their rms difference.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    turn: NDArray[np.int64]
    distance: NDArray[np.float32]


def near_pairs(a: Views, b: Views, *, threads: int, report: Callable[[int, int], None]) -> ViewPairs:
    """Return the pairs of one of `a` and one of `b` within both their reaches, in the best of 8 turns.

    Only views of the same sides match, after the turn; rows are never paired with themselves. If `a`
    and `b` are the same object, each pair is returned once, with the smaller row first.

    Notes
    -----
    Exact. The images of one size are sorted by mean; those whose means are near are compared in
    features that no turn changes, the length of each (u, v), (v, u) pair of coefficients; few are left
    to be turned. Worst case O(n^2 WAVES^2), memory O(n WAVES^2 + m).
    """
    sizes = np.sort(np.concatenate([a.sides, b.sides]), axis=1)
    _, kinds = np.unique(sizes, axis=0, return_inverse=True)
    kinds = kinds.reshape(-1)
    # Sorting by one number: the size and, within a size, the mean.
    top = max((float(np.abs(v.waves[:, 0, 0]).max(initial=0)) for v in (a, b)), default=0.0)
    top += float(a.reach.max(initial=0)) + 1
    at_a = kinds[: len(a.rows)] * (3 * top) + a.waves[:, 0, 0]
    at_b = kinds[len(a.rows) :] * (3 * top) + b.waves[:, 0, 0]
    order = np.argsort(at_b, kind="stable")
    slack = 1e-6 * (1 + np.abs(at_a)) + a.reach
    start = np.searchsorted(at_b[order], at_a - slack)
    stop = np.searchsorted(at_b[order], at_a + slack, side="right")
    steady_a = _steady(a.waves)
    steady_b = steady_a if a is b else _steady(b.waves)
    others = (steady_b[order], b.waves[order], b.rows[order], b.sides[order], b.reach[order])

    def search(first: int) -> tuple[Any, ...]:
        part = slice(first, first + _BLOCK)
        mine = (steady_a[part], a.waves[part], a.rows[part], a.sides[part], a.reach[part])
        found: tuple[Any, ...] = _search(*mine, *others, start[part], stop[part], a is b)
        return found

    found = []
    firsts = range(0, len(a.rows), _BLOCK)
    with ThreadPoolExecutor(threads) as pool:
        for first, part in zip(firsts, pool.map(search, firsts), strict=True):
            found.append(part)
            report(min(first + _BLOCK, len(a.rows)), len(a.rows))
    if not found:
        none = np.empty(0, np.int64)
        return ViewPairs(none, none, none, none.astype(np.float32))
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    return ViewPairs(columns[0], columns[1], columns[2], columns[3])


@functools.lru_cache(maxsize=4096)
def _cropped_cosines(side: int) -> NDArray[np.float32]:
    """Stack the cosines of `CROPS`, shape (3 * WAVES, side); a line left out has weight 0.

    Of a single line nothing is left: such views have sides of 0 px, all alike and without contrast.
    """
    smaller = cosines(side - 1, WAVES) if side > 1 else np.zeros((WAVES, 0), np.float32)
    none = np.zeros((WAVES, 1), np.float32)
    return np.concatenate([cosines(side, WAVES), np.hstack([none, smaller]), np.hstack([smaller, none])])


def _steady(waves: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what no turn changes, low frequencies first, shape (n, WAVES * (WAVES + 1) / 2).

    Differs between two images no more than the coefficients do, in the Euclidean distance.
    """
    both = np.hypot(waves[:, _I, _J], waves[:, _J, _I])
    both[:, _I == _J] = np.abs(waves[:, _I[_I == _J], _I[_I == _J]])
    return np.ascontiguousarray(both)


@njit(nogil=True, cache=True)
def _search(
    steady_a: Any,
    waves_a: Any,
    rows_a: Any,
    sides_a: Any,
    reach_a: Any,
    steady_b: Any,
    waves_b: Any,
    rows_b: Any,
    sides_b: Any,
    reach_b: Any,
    start: Any,
    stop: Any,
    once: bool,
) -> Any:
    n, size = 0, 64
    first, second = np.empty(size, np.int64), np.empty(size, np.int64)
    turns, distances = np.empty(size, np.int64), np.empty(size, np.float32)
    for i in range(len(rows_a)):
        for j in range(start[i], stop[i]):
            if rows_a[i] == rows_b[j] or (once and rows_a[i] > rows_b[j]):
                continue
            reach = min(reach_a[i], reach_b[j])
            most = reach * reach
            if not _may_be_near(steady_a[i], steady_b[j], most):
                continue
            turn, square = _best_turn(waves_a[i], waves_b[j], sides_a[i], sides_b[j], most)
            if turn < 0:
                continue
            if n == size:
                size *= 2
                first, second = _longer(first), _longer(second)
                turns, distances = _longer(turns), _longer(distances)
            first[n], second[n], turns[n], distances[n] = rows_a[i], rows_b[j], turn, np.sqrt(square)
            n += 1
    return first[:n], second[:n], turns[:n], distances[:n]


@njit(nogil=True, cache=True, fastmath={"reassoc"})  # which lets the sums use vector instructions
def _may_be_near(a: Any, b: Any, most: Any) -> bool:
    square = np.float32(0)
    for start in range(0, a.shape[0], _AT_ONCE):
        for k in range(start, start + _AT_ONCE):
            difference = a[k] - b[k]
            square += difference * difference
        if square > most:
            return False
    return True


@njit(nogil=True, cache=True)
def _best_turn(a: Any, b: Any, sides_a: Any, sides_b: Any, most: Any) -> Any:
    best, best_square = -1, most
    for turn in range(8):
        swaps = turn >= 4
        if sides_a[0] != sides_b[1 if swaps else 0] or sides_a[1] != sides_b[0 if swaps else 1]:
            continue
        square = np.float32(0)
        for u in range(a.shape[0]):
            for v in range(a.shape[1]):
                other = b[v, u] if swaps else b[u, v]
                if (u * (turn & 1) + v * (turn >> 1 & 1)) & 1:  # flips change the sign of odd waves
                    other = -other
                square += (a[u, v] - other) ** 2
            if square > best_square:
                break
        if square <= best_square and (best < 0 or square < best_square):
            best, best_square = turn, square
    return best, best_square


@njit(nogil=True, cache=True)
def _longer(array: Any) -> Any:
    grown = np.empty(2 * len(array), array.dtype)
    grown[: len(array)] = array
    return grown
