"""Trivial baseline: every image in a cluster of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from bench.interfaces import Clusterer

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class EachAlone(Clusterer):
    """n clusters of one image: perfect recall of cuts, and no join."""

    source: ClassVar[str] = "none: a trivial baseline"
    takes: ClassVar[tuple[Literal["features", "join_probabilities", "nothing"], ...]] = ("nothing",)
    trivial: ClassVar[bool] = True

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return 0..n-1."""
        import numpy as np

        return np.arange(data.n, dtype=np.int64)
