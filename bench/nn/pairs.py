"""Join probabilities of all pairs of images, through a two-layer head on pair features.

A pair-by-pair loop repeats work. With W1 split by feature group, the first layer of pair (a, b) is

    W_x1 a + W_x2 b + W_product (a * b) + W_difference |a - b| + w_cosine cos + w_distance dist + bias

The first two terms are one matrix product over all images. The others are the same in both
directions. So each unordered pair is computed once, in tiles that a cache holds, and both directions
come out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from bench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    block : pairs at a time; memory beside the result is about block * (pair_width + hidden) numbers.
        None: 1024, what a cache holds, on a CPU; 2^18 elsewhere.

    Returns
    -------
    Tensor of x's type, shape (n, n): symmetric, diagonal 1.

    Raises
    ------
    DataError : shapes do not fit.

    Notes
    -----
    Deterministic. The product and the difference take n^2 / 2 * d * hidden multiplications each, the loop
    over ordered pairs n^2 * pair_width * hidden. So this is bound to be about 4 times as fast as the loop
    for "optimal" and 6 times for "simplified", where both run at the speed of matrix products (a CPU
    with large batches); "concat" has no such product and gains about d / 2.
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
    weight = first.weight.detach()
    left, right = x @ weight[:, :d].T, x @ weight[:, d : 2 * d].T
    if first.bias is not None:
        left += first.bias
    weight = weight[:, 2 * d :].T.contiguous()
    unit = x / torch.linalg.vector_norm(x, dim=1).clamp_min(1e-8)[:, None]
    result = torch.empty(n, n, dtype=x.dtype, device=x.device)
    height = max(1, math.isqrt(block) // 2)  # flat tiles: less is computed twice along the diagonal
    width = max(1, block // height)
    features = x.new_empty(height * width * len(weight))
    hidden = x.new_empty(height * width * first.out_features)
    for a, b in _tiles(n, height, width):
        shared = None
        count, others = a.stop - a.start, b.stop - b.start
        if fusion != "concat":
            f = features[: count * others * len(weight)].view(count, others, -1)
            _symmetric_features(x[a], x[b], unit[a] @ unit[b].T, fusion, f)
            shared = hidden[: count * others * first.out_features].view(count * others, -1)
            torch.mm(f.flatten(0, 1), weight, out=shared)
            shared = shared.view(count, others, -1)
        both = logits_of_tile(shared, left[a], right[a], left[b], right[b], second.weight.detach()[0])
        if second.bias is not None:
            both += second.bias
        mean = both.sigmoid_().mean(0)
        if a.start == b.start:  # each direction was rounded on its own
            square = mean[:, :count]
            mean[:, :count] = (square + square.T) / 2
        result[a, b] = mean
        result[b, a] = mean.T
    return result.fill_diagonal_(1)


def _tiles(n: int, height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Tiles that cover the upper triangle; those on the diagonal start on it."""
    for top in range(0, n, height):
        for start in range(top, n, width):
            yield slice(top, min(top + height, n)), slice(start, min(start + width, n))


def _symmetric_features(a: Tensor, b: Tensor, cosine: Tensor, fusion: Fusion, out: Tensor) -> None:
    """Write what follows x1 and x2 in `pair_features`, of all a with all b, to out (|a|, |b|, width)."""
    import torch

    d = a.shape[1]
    torch.mul(a[:, None], b, out=out[:, :, :d])
    if fusion == "optimal":
        difference = torch.sub(a[:, None], b, out=out[:, :, d : 2 * d]).abs_()
        torch.linalg.vector_norm(difference, dim=2, out=out[:, :, -1])
    out[:, :, WIDTHS[fusion][0] * d - 2 * d] = cosine


def logits_of_tile(
    shared: Tensor | None, a_left: Tensor, a_right: Tensor, b_left: Tensor, b_right: Tensor, weight: Tensor
) -> Tensor:
    """Second layer without its bias, shape (2, |a|, |b|); the arguments are those of `tail.logits`."""
    import torch

    if weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.float64):
        from bench.nn import tail

        out = weight.new_empty(2, len(a_left), len(b_left))
        arrays = [t.numpy() for t in (a_left, a_right, b_left, b_right, weight, out)]
        tail.logits(None if shared is None else shared.numpy(), *arrays)
        return out
    return logits_by_tensors(shared, a_left, a_right, b_left, b_right, weight)


def logits_by_tensors(
    shared: Tensor | None, a_left: Tensor, a_right: Tensor, b_left: Tensor, b_right: Tensor, weight: Tensor
) -> Tensor:
    """Do the same on any device."""
    import torch

    both = torch.stack([a_left[:, None] + b_right, a_right[:, None] + b_left])
    if shared is not None:
        both += shared
    return both.relu_() @ weight
