"""Join probabilities of all pairs of images, through a two-layer head on pair features.

A pair-by-pair loop repeats work. With W1 split by feature group, the first layer of pair (a, b) is

    W_x1 a + W_x2 b + W_product (a * b) + W_difference |a - b| + w_cosine cos + w_distance dist + bias

The first two terms are one matrix product over all images, and so are the last two. The product term
is, for one a, (W_product diag(a)) times all b: one matrix product in blocks. What stays per pair is
the absolute difference. For it and the product both directions share everything: only W_x1 and W_x2
change places. So each unordered pair is computed once, and both directions come out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bench.interfaces import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Fusion = Literal["concat", "simplified", "optimal"]

WIDTHS: dict[str, tuple[int, int]] = {"concat": (2, 0), "simplified": (3, 1), "optimal": (4, 2)}
"""Pair features per fusion as (multiples of d, further columns): [x1, x2], [x1, x2, x1 * x2, cos] and
[x1, x2, x1 * x2, |x1 - x2|, cos, dist]. At d = 384: 768, 1153 and 1538."""


def pair_width(fusion: Fusion, d: int) -> int:
    """Return the number of pair features for `d` features an image."""
    times, more = WIDTHS[fusion]
    return times * d + more


def pair_features(a: Tensor, b: Tensor, fusion: Fusion) -> Tensor:
    """Return the pair features of a[k], b[k], shape (k, pair_width); what heads are trained on.

    Cosine is 0 where a vector is 0; the distance is Euclidean.
    """
    import torch
    from torch.nn.functional import cosine_similarity

    if fusion == "concat":
        return torch.cat([a, b], 1)
    cosine = cosine_similarity(a, b, dim=1)[:, None]
    if fusion == "simplified":
        return torch.cat([a, b, a * b, cosine], 1)
    distance = torch.linalg.vector_norm(a - b, dim=1)[:, None]
    return torch.cat([a, b, a * b, (a - b).abs(), cosine, distance], 1)


def all_pairs_probabilities(
    x: Tensor, first: torch.nn.Linear, second: torch.nn.Linear, fusion: Fusion, *, block: int | None = None
) -> Tensor:
    """Return sigmoid(second(relu(first(pair_features)))) of all pairs, mean of both directions.

    Parameters
    ----------
    x : float tensor, shape (n, d), on the device of the head
    first, second : Linear(pair_width, hidden) and Linear(hidden, 1)
    block : pairs at a time, at least one image with all others; memory is about 4 * block * max(d, hidden)
        numbers. None: 1024, what a cache holds, on a CPU; 2^18 elsewhere.

    Returns
    -------
    Tensor of x's type, shape (n, n): symmetric, diagonal 1.

    Raises
    ------
    DataError : shapes do not fit.

    Notes
    -----
    n^2 / 2 * d * hidden multiplications each for the product and the difference, where the loop over
    ordered pairs takes n^2 * pair_width * hidden: 4 times fewer for "optimal", 6 for "simplified", and
    d times fewer for "concat". On an accelerator the loop is bound by its many small steps instead.
    """
    import torch

    d = x.shape[1]
    if first.in_features != pair_width(fusion, d) or second.in_features != first.out_features:
        raise DataError(
            f"a head of {first.in_features} -> {first.out_features} -> {second.out_features} does not take "
            f"{fusion} pairs of {d} features: these have {pair_width(fusion, d)}"
        )
    if block is None:
        block = 1024 if x.device.type == "cpu" else 1 << 18
    with torch.inference_mode():
        return _all_pairs(x, first, second, fusion, block)


def _all_pairs(
    x: Tensor, first: torch.nn.Linear, second: torch.nn.Linear, fusion: Fusion, block: int
) -> Tensor:
    import torch

    n, d = x.shape
    times = WIDTHS[fusion][0]
    groups = first.weight[:, : times * d].reshape(-1, times, d).unbind(1)  # (hidden, d) each
    columns = first.weight[:, times * d :].unbind(1)  # (hidden,) each
    left, right = x @ groups[0].T, x @ groups[1].T
    if first.bias is not None:
        left = left + first.bias
    norm = torch.linalg.vector_norm(x, dim=1)
    unit = x / norm.clamp_min(1e-8)[:, None]
    result = torch.ones(n, n, dtype=x.dtype, device=x.device)
    rows = max(1, block // max(n, 1))
    for start in range(0, n, rows):
        a = x[start : start + rows]
        b = x[start:]  # pairs with an earlier image are done
        count, others = len(a), len(b)
        shared = None
        if fusion != "concat":
            weighted = a[:, None, :] * groups[2]  # (rows, hidden, d)
            shared = (b @ weighted.reshape(-1, d).T).reshape(others, count, -1).transpose(0, 1)
            shared = shared + (unit[start : start + rows] @ unit[start:].T)[:, :, None] * columns[0]
        if fusion == "optimal" and shared is not None:
            difference = (a[:, None, :] - b).abs_()
            distance = torch.linalg.vector_norm(difference, dim=2, keepdim=True)
            shared = shared + difference @ groups[3].T + distance * columns[1]
        there = left[start : start + rows, None, :] + right[start:]
        back = left[start:] + right[start : start + rows, None, :]
        if shared is not None:
            there, back = there + shared, back + shared
        mean = (_tail(there, second) + _tail(back, second)) / 2
        result[start : start + rows, start:] = mean
        result[start:, start : start + rows] = mean.T
    result = (result + result.T) / 2  # within a block each direction was rounded on its own
    result.fill_diagonal_(1)
    return result


def _tail(hidden: Tensor, second: torch.nn.Linear) -> Tensor:
    """Second layer and sigmoid of (rows, others, hidden) -> (rows, others)."""
    out: Tensor = second(hidden.relu_()).squeeze(-1).sigmoid_()
    return out
