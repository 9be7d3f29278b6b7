"""Scores on a part of all pairs of images: within and between subsets, and of decisions before clustering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from bench.metrics.contingency import IntArray, contingency
from bench.metrics.metric import Metric
from bench.metrics.names import METRICS, taking
from bench.metrics.pairs import PairCounts, pair_counts
from bench.metrics.score import NoisePolicy, Scoring

PAIR_METRICS: dict[str, Metric] = taking(METRICS.values(), "pairs")
"""The metrics that need no partition, only decisions on pairs."""

_BLOCK = 1 << 24
"""Pairs compared in one step."""


def pair_metrics(c: PairCounts, metrics: Mapping[str, Metric] = PAIR_METRICS) -> dict[str, float]:
    """Return the metrics of pairs that are defined; one whose denominator is 0 is left out.

    `metrics` take `pairs`.
    """
    fractions = {name: m(c) for name, m in metrics.items()}
    # as Python's integers, whose quotient is exact however large they are
    return {name: part.item() / whole.item() for name, (part, whole) in fractions.items() if whole.item()}


def score_subsets(
    truth: IntArray,
    pred: IntArray,
    subsets: Sequence[str | None],
    *,
    noise: NoisePolicy,
    extra: Sequence[Metric] = (),
) -> dict[str, dict[str, float]]:
    """Score a clustering within each subset of the images, and on the pairs between any two.

    Parameters
    ----------
    truth, pred : int64, shape (n,), as `bench.metrics.score.score` takes them.
    subsets : name of each image's subset; images with None are left out.
    noise : as for `bench.metrics.score.score`.
    extra : metrics that take `tables` or `pairs`, beside those that ship.

    Returns
    -------
    By "a-a": all metrics of the clustering restricted to subset a. By "a-b": `PAIR_METRICS` of the
    pairs with one image in each, those that are defined (Presberger et al.: unseen-unseen, test-unseen).
    Subsets without two labelled images, and metrics without a pair to judge, are left out.
    """
    names, codes = _codes(subsets)
    keep = (truth >= 0) & (codes >= 0) & ((pred >= 0) | (noise == "own_cluster"))
    scoring = Scoring(noise, replicates=0, extra=extra)
    of_pairs = taking(scoring.metrics.values(), "pairs")
    t, p, s = truth[keep], _noise_alone(pred[keep]), codes[keep]
    found: dict[str, dict[str, float]] = {}
    for a, b in combinations_with_replacement(range(len(names)), 2):
        title = f"{names[a]}-{names[b]}"
        one, two = s == a, s == b
        if a == b and one.sum() >= 2:
            found[title] = scoring.score(t[one], p[one]).values
        elif a != b and one.any() and two.any():
            found[title] = pair_metrics(_between(t, p, one, two), of_pairs)
    return found


def score_pairs(
    truth: IntArray,
    probabilities: NDArray[np.float32],
    subsets: Sequence[str | None] | None = None,
    metrics: Mapping[str, Metric] = PAIR_METRICS,
) -> dict[str, dict[str, float]]:
    """Score the decisions of a pair model before any clustering: p >= 0.5 joins.

    Parameters
    ----------
    truth : int64, shape (n,); -1 = unknown, left out.
    probabilities : (n, n), symmetric.
    subsets : as for `score_subsets`; None for none.
    metrics : those that take `pairs`.

    Returns
    -------
    By "all", and by the pairs of subsets: `PAIR_METRICS` over the unordered pairs, those that are
    defined. RI is the accuracy over pairs (Presberger et al., section "before correlation clustering").
    """
    names, codes = _codes(subsets) if subsets is not None else ([], np.zeros(truth.size, np.int64))
    known = np.flatnonzero(truth >= 0)
    groups = {"all": (known, known)}
    for a, b in combinations_with_replacement(range(len(names)), 2):
        one = known[codes[known] == a]
        groups[f"{names[a]}-{names[b]}"] = (one, one if a == b else known[codes[known] == b])
    counts = {name: _decisions(truth, probabilities, *rows) for name, rows in groups.items()}
    scored = {name: pair_metrics(c, metrics) for name, c in counts.items()}
    return {name: values for name, values in scored.items() if values}


def _codes(subsets: Sequence[str | None]) -> tuple[list[str], IntArray]:
    names = sorted({s for s in subsets if s is not None})
    position: Mapping[str | None, int] = {name: i for i, name in enumerate(names)}
    return names, np.fromiter((position.get(s, -1) for s in subsets), np.int64, len(subsets))


def _noise_alone(pred: IntArray) -> IntArray:
    noise = pred < 0
    alone = pred.copy()
    alone[noise] = pred.max(initial=-1) + 1 + np.arange(np.count_nonzero(noise))
    return alone


def _between(t: IntArray, p: IntArray, one: NDArray[np.bool_], two: NDArray[np.bool_]) -> PairCounts:
    """Count the pairs with an image on each side: those of both sides together less those within each."""
    counts = [pair_counts(contingency(t[side], p[side])) for side in (one | two, one, two)]
    return PairCounts(*(both - first - second for both, first, second in zip(*counts, strict=True)))


def _decisions(
    truth: IntArray, probabilities: NDArray[np.float32], left: IntArray, right: IntArray
) -> PairCounts:
    """Count the unordered pairs of an image of `left` with one of `right`, which are equal or disjoint."""
    counts = np.zeros(4, np.int64)
    step = max(1, _BLOCK // max(1, right.size))
    for start in range(0, left.size, step):
        rows = left[start : start + step]
        same = truth[rows][:, None] == truth[right]
        joined = probabilities[np.ix_(rows, right)] >= 0.5
        once = rows[:, None] < right if left is right else True
        counts += [int(np.count_nonzero(x & once)) for x in _outcomes(same, joined)]
    return PairCounts(*(np.array([c]) for c in counts))


def _outcomes(same: NDArray[np.bool_], joined: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], ...]:
    return same & joined, same & ~joined, ~same & joined, ~same & ~joined
