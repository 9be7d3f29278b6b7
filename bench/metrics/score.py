"""All metrics of a clustering, with intervals, from one contingency table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.errors import DataError
from bench.interfaces import Json
from bench.metrics.bootstrap import interval, resamples
from bench.metrics.contingency import Contingency, FloatArray, IntArray, contingency
from bench.metrics.matching import match
from bench.metrics.metric import Metric
from bench.metrics.names import METRICS
from bench.metrics.tables import Tables, value

NoisePolicy = Literal["own_cluster", "drop"]

_MOST_CELLS = 15_000_000
"""Cells resampled per score; larger tables get fewer replicates, but at least 100 if requested."""
_FEWEST_REPLICATES = 100
_MOST_ENTRIES = 20_000_000
"""Matrix entries (replicates x classes x clusters) up to which every replicate is matched anew."""


@dataclass(frozen=True)
class Scores:
    """Metrics of one clustering, keyed by the names in `METRICS` and in their order."""

    n: int
    """Number of scored images."""
    coverage: float
    """Share of the labelled images that are scored: below 1 only where noise is dropped."""
    classes: int
    """Number of true classes among the scored images."""
    clusters: int
    """Number of predicted clusters among the scored images; noise is not one of them."""
    noise: int
    """Number of labelled images predicted as noise."""
    values: dict[str, float]
    """Name of a metric -> its value. `bench describe metric NAME` gives range and unit."""
    intervals: dict[str, tuple[float, float]]
    """Empty if no replicates were asked for."""

    def to_json(self) -> dict[str, Json]:
        """Return one flat dict: counts and metrics by name, and `intervals` as [low, high] by name."""
        return {
            "n": self.n,
            **self.values,
            "coverage": self.coverage,
            "classes": self.classes,
            "clusters": self.clusters,
            "noise": self.noise,
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
        }


@dataclass(frozen=True)
class Scoring:
    """How clusterings are scored; the fields mean the same as the parameters of `score`."""

    noise: NoisePolicy = "own_cluster"
    replicates: int = 1000
    level: float = 0.95
    extra: Sequence[Metric] = ()
    """Metrics that take `tables` or `pairs`, beside `METRICS`."""

    @property
    def metrics(self) -> dict[str, Metric]:
        """All metrics by name, in the order of records."""
        return {**METRICS, **{m.name: m for m in self.extra}}

    def score(self, truth: ArrayLike, pred: ArrayLike, rng: np.random.Generator | None = None) -> Scores:
        """Compare predicted labels with true ones; see `score`."""
        t, p, found = _checked(truth, pred, self.noise, self.replicates, self.level)
        labelled = t != -1
        is_noise = (p == -1) & labelled
        scored = labelled & ~is_noise if self.noise == "drop" else labelled
        n_labelled, n_noise, n = (int(np.count_nonzero(x)) for x in (labelled, is_noise, scored))
        if not n_labelled:
            raise DataError(f"no image has a true label: {found} images, all with the label -1 (unknown)")
        if not n:
            raise DataError(
                f"all {n_labelled} labelled images are noise, so noise: drop leaves none to score"
            )
        if n < t.size:
            t, p, is_noise = t[scored], p[scored], is_noise[scored]
        table = contingency(t, p, is_noise)
        matched = match(table)
        once = Tables(table, matched).read_only()
        values = {name: float(value(m, once)[0]) for name, m in self.metrics.items()}
        rng = np.random.default_rng(0) if rng is None else rng
        singles = n_noise if self.noise == "own_cluster" else 0
        return Scores(
            n=n,
            coverage=n / n_labelled,
            classes=int(table.rows[-1]) + 1,
            clusters=int(table.cols.max()) + 1 - singles,
            noise=n_noise,
            values=values,
            intervals=self._intervals(table, matched, values, rng),
        )

    def _intervals(
        self,
        table: Contingency,
        matched: IntArray,
        values: Mapping[str, float],
        rng: np.random.Generator,
    ) -> dict[str, tuple[float, float]]:
        replicates = min(self.replicates, max(_FEWEST_REPLICATES, _MOST_CELLS // table.rows.size))
        if not replicates:
            return {}
        entries = table.row_sums.shape[1] * table.col_sums.shape[1]
        rematch = replicates * entries <= _MOST_ENTRIES
        parts: dict[str, list[FloatArray]] = {name: [] for name in self.metrics}
        for part in resamples(table, replicates, rng):
            shape = len(part.counts), matched.shape[1]
            tables = Tables(part, None if rematch else np.broadcast_to(matched, shape), exact=False)
            for name, metric in self.metrics.items():
                parts[name].append(value(metric, tables))
        return {
            name: interval(values[name], np.concatenate(parts[name]), self.level, metric.low, metric.high)
            for name, metric in self.metrics.items()
        }


def score(
    truth: ArrayLike,
    pred: ArrayLike,
    *,
    noise: NoisePolicy = "own_cluster",
    replicates: int = 1000,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Scores:
    """Compare predicted labels with true ones by every metric in `METRICS`.

    Parameters
    ----------
    truth, pred : integers, shape (n,)
        Ids are names: their order and gaps mean nothing, only -1 has a meaning. In `truth` it is
        an unknown label: the image is left out. In `pred` it is noise.
    noise : "own_cluster" scores each noise image as a cluster of its own; "drop" leaves noise out,
        and `coverage` says how much was scored.
    replicates : resamples of the images for the intervals; 0 for none. Tables of more than 15,000
        non-zero cells get fewer, down to 100.
    level : of the intervals, between 0 and 1
    rng : source of the resamples; by default seeded with 0, so equal labels have equal intervals

    Raises
    ------
    DataError
        Different lengths, not integers, no labelled image, or only noise under "drop".

    Notes
    -----
    A single scored image, like any clustering without an error, scores 1, and 0 bits of VI. Where
    truth and prediction have one cluster each, all agree. Where only one of them has, NMI, ARI and
    AMI are 0.

    In resamples of large tables (more than 20 million replicates x classes x clusters) clusters stay
    matched as in the images themselves; to first order ACC varies the same (envelope theorem).
    """
    return Scoring(noise, replicates, level).score(truth, pred, rng)


def _checked(
    truth: ArrayLike, pred: ArrayLike, noise: str, replicates: int, level: float
) -> tuple[IntArray, IntArray, int]:
    if noise not in ("own_cluster", "drop"):
        raise DataError(f"noise must be own_cluster or drop, not {noise!r}")
    if replicates < 0 or not 0 < level < 1:
        raise DataError(f"replicates must be at least 0, level between 0 and 1; got {replicates} and {level}")
    t, p = _integers(truth, "truth"), _integers(pred, "the prediction")
    if t.size != p.size:
        raise DataError(f"truth has {t.size} labels, the prediction {p.size}; there must be one per image")
    return t, p, t.size


def _integers(labels: ArrayLike, what: str) -> IntArray:
    try:
        array: NDArray[Any] = np.asarray(labels)
    except ValueError as e:
        raise DataError(f"labels of {what} are not a list of integers: {e}") from None
    if array.ndim != 1:
        raise DataError(f"labels of {what} must have one dimension, not shape {array.shape}")
    if not array.size:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        nan = array.dtype.kind == "f" and bool(np.isnan(array).any())
        hint = "some are NaN; write -1" if nan else "convert them first"
        raise DataError(f"labels of {what} must be integers, not {array.dtype}: {hint}")
    if array.dtype.kind == "u" and int(array.max()) > np.iinfo(np.int64).max:
        raise DataError(f"labels of {what} must fit 64-bit signed integers; the largest is {array.max()}")
    return array.astype(np.int64, copy=False)
