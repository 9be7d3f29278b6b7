"""Clusters join probabilities by connected components."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from scipy.sparse.csgraph import connected_components

from bench.interfaces import Clusterer

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class Components(Clusterer):
    """Connected components of pairs more likely joined than not."""

    takes: ClassVar[tuple[Literal["features", "join_probabilities", "nothing"], ...]] = (
        "join_probabilities",
    )

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return the components."""
        assert data.join_probabilities is not None
        assert data.labels is None
        return np.asarray(connected_components(data.join_probabilities > 0.5)[1], np.int64)
