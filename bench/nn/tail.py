"""The end of a two-layer head for a tile of pairs: sum of the first layer's parts, ReLU, second layer.

Tensor operations read and write the hidden layer some eight times; this kernel reads it once.
"""

from __future__ import annotations

from typing import Any

from numba import njit
from numpy.typing import NDArray


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def logits(
    shared: NDArray[Any] | None,
    a_left: NDArray[Any],
    a_right: NDArray[Any],
    b_left: NDArray[Any],
    b_right: NDArray[Any],
    weight: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Write weight . relu(left + right + shared) of the pairs (a, b) to out[0], of (b, a) to out[1].

    Parameters
    ----------
    shared : shape (k, l, hidden), what both directions have in common; None for nothing
    a_left, a_right : shape (k, hidden), the first layer of each a alone, as x1 and as x2 of a pair
    b_left, b_right : shape (l, hidden)
    weight : shape (hidden,), of the second layer
    out : shape (2, k, l); NaN stays NaN
    """
    for i in range(a_left.shape[0]):
        for j in range(b_left.shape[0]):
            there = back = weight.dtype.type(0)
            for h in range(weight.size):
                one, two = a_left[i, h] + b_right[j, h], b_left[j, h] + a_right[i, h]
                if shared is not None:
                    one, two = one + shared[i, j, h], two + shared[i, j, h]
                there += weight[h] * (weight.dtype.type(0) if one <= 0 else one)
                back += weight[h] * (weight.dtype.type(0) if two <= 0 else two)
            out[0, i, j], out[1, i, j] = there, back
