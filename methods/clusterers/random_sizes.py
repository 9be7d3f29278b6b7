"""Trivial baseline: random clusters of the true sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from bench.errors import DataError
from bench.interfaces import Clusterer

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class RandomSizes(Clusterer):
    """The true labels, permuted at random: the score of knowing the class sizes alone.

    Images without a label first take the label of a random image that has one.
    """

    source: ClassVar[str] = "none: a trivial baseline"
    takes: ClassVar[tuple[Literal["features", "join_probabilities", "nothing"], ...]] = ("nothing",)
    trivial: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    uses_labels: ClassVar[bool] = True

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return a permutation of the true labels. Raises `DataError` if no image has one."""
        import numpy as np

        known = data.labels[data.labels >= 0] if data.labels is not None else np.empty(0, np.int64)
        if not known.size:
            raise DataError("random_sizes: no image has a label, so there are no true sizes to follow")
        rng = run.rng()
        filled = np.concatenate([known, rng.choice(known, data.n - known.size)])
        return rng.permutation(filled).astype(np.int64)
