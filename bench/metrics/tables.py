"""What the metrics of a clustering are computed from: contingency tables, and what follows from them."""

from __future__ import annotations

from functools import cached_property

from bench.metrics.contingency import Contingency, FloatArray, IntArray
from bench.metrics.expected import expected_information
from bench.metrics.information import Information, information
from bench.metrics.matching import f1, match
from bench.metrics.metric import Metric
from bench.metrics.pairs import PairCounts, pair_counts, ratio


class Tables:
    """One contingency table, or several of resamples that share their non-zero cells.

    Everything is computed when first asked for, and once. All arrays have one row per table. They are
    shared by all metrics: do not write into them.

    Parameters
    ----------
    contingency : the counts.
    matched : matching to use instead of the best one of each table; see `matched`.
    exact : compute `expected` exactly, not by interpolation.
    """

    def __init__(
        self, contingency: Contingency, matched: IntArray | None = None, *, exact: bool = True
    ) -> None:
        self.contingency = contingency
        self._matched = matched
        self._exact = exact

    @property
    def n(self) -> int:
        """Number of images; the same in every table."""
        return self.contingency.n

    @property
    def rows(self) -> IntArray:
        """Class of each non-zero cell, shape (cells,)."""
        return self.contingency.rows

    @property
    def cols(self) -> IntArray:
        """Cluster of each non-zero cell, shape (cells,)."""
        return self.contingency.cols

    @property
    def counts(self) -> IntArray:
        """Images in each cell, shape (tables, cells); 0 only in resamples."""
        return self.contingency.counts

    @property
    def row_sums(self) -> IntArray:
        """Class sizes, shape (tables, classes)."""
        return self.contingency.row_sums

    @property
    def col_sums(self) -> IntArray:
        """Cluster sizes, shape (tables, clusters)."""
        return self.contingency.col_sums

    @cached_property
    def pairs(self) -> PairCounts:
        """Pairs of images by what truth and prediction do with them, each of shape (tables,)."""
        return pair_counts(self.contingency)

    @cached_property
    def information(self) -> Information:
        """Entropies in bits, each of shape (tables,)."""
        return information(self.contingency)

    @cached_property
    def expected(self) -> FloatArray:
        """Mutual information in bits that random clusterings with these sizes have, shape (tables,)."""
        return expected_information(self.row_sums, self.col_sums, self.n, exact=self._exact)

    @cached_property
    def matched(self) -> IntArray:
        """Cell that joins each class to its cluster, -1 for none, shape (tables, classes)."""
        return match(self.contingency) if self._matched is None else self._matched

    @cached_property
    def f1(self) -> tuple[FloatArray, FloatArray]:
        """F1 under the matching, weighted by class size and averaged over classes; each (tables,)."""
        return f1(self.contingency, self.matched)

    def read_only(self) -> Tables:
        """Return the same tables; writing into the arrays of the contingency table raises from now on."""
        c = self.contingency
        for array in (c.rows, c.cols, c.counts, c.row_sums, c.col_sums, self.matched):
            array.flags.writeable = False
        return self


def value(metric: Metric, tables: Tables) -> FloatArray:
    """Return a metric that takes `tables` or `pairs`, shape (tables,)."""
    if metric.takes == "pairs":
        return ratio(*metric(tables.pairs))
    found: FloatArray = metric(tables)
    return found
