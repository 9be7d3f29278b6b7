"""Intervals by resampling images: the uncertainty of a metric over the choice of images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.metrics.contingency import Contingency, FloatArray, IntArray

_CHUNK = 1 << 20
"""Cells resampled at once (8 MiB)."""


def resamples(table: Contingency, replicates: int, rng: np.random.Generator) -> Iterator[Contingency]:
    """Yield tables of n images drawn with replacement from the n images of `table`, `replicates` in all.

    Resampling images and counting them again is the same as drawing the table's cells from a
    multinomial distribution; the labels themselves are not needed.
    """
    at_once = max(1, _CHUNK // table.rows.size)
    for start in range(0, replicates, at_once):
        yield table.with_counts(_draw(table, min(at_once, replicates - start), rng))


def interval(
    estimate: float, replicates: FloatArray, level: float, low: float, high: float
) -> tuple[float, float]:
    """Return the interval of a metric from its values on resamples.

    An image drawn twice is joined to itself, so resamples show more joins than the images have:
    metrics of pairs and information are biased in every resample (each image alone would seem to
    have joins). So only their spread is used: the interval is the estimate plus quantiles of
    (replicate - mean of replicates). It contains the estimate and is clipped to the metric's range.
    Where every image agrees (a perfect clustering) the interval is a point: resampling cannot show
    errors that never occurred.
    """
    tail = (1 - level) / 2
    below, above = np.quantile(replicates - replicates.mean(), [tail, 1 - tail])
    return (
        min(estimate, max(low, estimate + float(below))),
        max(estimate, min(high, estimate + float(above))),
    )


def _draw(table: Contingency, replicates: int, rng: np.random.Generator) -> IntArray:
    counts = table.counts[0]
    if table.n > 8 * counts.size:  # one binomial per cell is cheaper than one draw per image
        return rng.multinomial(table.n, counts / table.n, size=replicates).astype(np.int64, copy=False)
    index = np.int32 if table.n <= np.iinfo(np.int32).max else np.int64  # half the memory to read
    cell_of = np.repeat(np.arange(counts.size, dtype=index), counts)
    drawn = np.empty((replicates, counts.size), np.int64)
    for i in range(replicates):
        drawn[i] = np.bincount(cell_of[rng.integers(0, table.n, table.n, dtype=index)], minlength=counts.size)
    return drawn
