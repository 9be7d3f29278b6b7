"""Trivial baseline: every image in one cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from bench.interfaces import Clusterer

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class AllInOne(Clusterer):
    """One cluster: perfect recall of joins, and no cut."""

    source: ClassVar[str] = "none: a trivial baseline"
    takes: ClassVar[tuple[Literal["features", "join_probabilities", "nothing"], ...]] = ("nothing",)
    trivial: ClassVar[bool] = True

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return zeros."""
        import numpy as np

        return np.zeros(data.n, np.int64)
