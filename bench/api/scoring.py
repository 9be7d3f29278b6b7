"""Scores labels and solves multicuts without a suite."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bench.errors import DataError, UsageError
from bench.layouts.textvalues import clean_labels
from bench.metrics.score import NoisePolicy, Scores
from bench.metrics.score import score as score_integers
from bench.multicut.costs import costs_from_probabilities
from bench.multicut.instance import Instance, as_instance
from bench.multicut.io import hint_of_probabilities
from bench.multicut.result import Solution
from bench.multicut.solving import solve


def score(
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    noise: NoisePolicy = "own_cluster",
    replicates: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Scores:
    """Score clusters against true classes by every metric, with intervals.

    Parameters
    ----------
    truth, predicted : integers or names, shape (n,)
        Only equality matters. Images of unknown class (-1, None, NaN, or an empty name) are left out; such a
        cluster is noise.
    noise : "own_cluster" scores each noise image as its own cluster; "drop" leaves noise out, and `coverage`
        is the scored share.
    replicates : bootstrap resamples of the images for the intervals; 0 for none.
    level : of the intervals, between 0 and 1.
    seed : of the bootstrap.

    Returns
    -------
    Scores with `values` and `intervals` by the name of the metric, and the counts.

    Raises
    ------
    DataError : different lengths, non-integer numbers, or no image with a known class.

    Examples
    --------
    >>> found = cutjoin.score(["cat", "cat", "dog", None], [0, 0, 1, 1])
    >>> found.values["ari"], found.n
    (1.0, 3)
    """
    rng = np.random.default_rng(seed)
    t, p = _integers(truth), _integers(predicted)
    return score_integers(t, p, noise=noise, replicates=replicates, level=level, rng=rng)


def multicut(
    costs: ArrayLike | Instance | None = None,
    *,
    probabilities: ArrayLike | None = None,
    prior: float | None = None,
    solver: str = "auto",
    time_limit: float | None = None,
    seed: int = 0,
    certificate: bool = False,
) -> Solution:
    """Find the clusters of a minimum cost multicut.

    Parameters
    ----------
    costs : symmetric, shape (n, n), log-odds of a join: positive costs favour one cluster. Or `SparseCosts`.
    probabilities : instead of costs, the join probability of each pair, shape (n, n), in 0 to 1.
    prior : with probabilities: share of joins among all pairs, for a pair model trained on as many joins as
        cuts.
    solver : greedy; exact; highs or gurobi; or auto: exact up to 300 nodes, greedy beyond.
    time_limit : seconds of the exact solver. None: 60 s for auto, no limit for others.
    seed : of the exact solver.
    certificate : also return a proof of the upper bound, which `verify` checks.

    Returns
    -------
    Solution with `labels` (n,), `objective`, `upper_bound`, `gap` and `status`.

    Raises
    ------
    UsageError : neither costs nor probabilities, or both.
    DataError : a matrix that is not square, symmetric and finite, or probabilities outside 0 to 1.

    Examples
    --------
    >>> found = cutjoin.multicut([[0, 2, -1], [2, 0, -3], [-1, -3, 0]])
    >>> found.labels.tolist(), found.objective, found.status
    ([0, 0, 1], 2.0, 'optimal')
    """
    if (costs is None) == (probabilities is None):
        raise UsageError("multicut: give either costs or probabilities")
    if probabilities is not None:
        costs = costs_from_probabilities(probabilities, prior=prior)
    elif prior is not None:
        raise UsageError("multicut: prior applies to probabilities only; costs already include it")
    assert costs is not None
    instance = as_instance(costs)
    if probabilities is None and (hint := hint_of_probabilities(instance)) is not None:
        warnings.warn(hint, stacklevel=2)
    return solve(instance, solver, time_limit=time_limit, seed=seed, certificate=certificate)


def _integers(labels: ArrayLike) -> NDArray[Any]:
    """Number names by first appearance; integers stay unchanged, and missing values become -1.

    Anything else is returned unchanged: the score rejects it with the reason.
    """
    try:
        array = np.asarray(labels)
        if array.dtype.kind == "U" and not hasattr(labels, "dtype"):  # there, NaN in a list became "nan"
            array = np.array(labels, dtype=object)
    except ValueError as e:
        raise DataError(f"labels must be a list with one entry per image: {e}") from None
    kind = array.dtype.kind
    if kind == "b":
        return array.astype(np.int64)
    if kind == "f":
        known = np.where(np.isnan(array), -1, array)
        whole = np.isfinite(known) & (known == np.floor(known))
        return known.astype(np.int64) if whole.all() and known.size else array
    if array.ndim != 1 or kind not in "OUST":
        return array
    names = np.array(array, dtype=object)
    names[pd.isna(names)] = None
    names[np.isin(names.astype(str), ("-1", "-1.0", ""))] = None
    if all(name is None or isinstance(name, str) for name in names):
        cleaned, notes = clean_labels([name or "" for name in names], lambda i: f"label {i + 1}")
        names = np.array([name if name not in ("", "-1") else None for name in cleaned], dtype=object)
        for note in notes:
            warnings.warn(note, stacklevel=3)
    codes, _ = pd.factorize(names)
    return codes.astype(np.int64)
