"""BIRCH."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Clusterer, Clusters, Unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.interfaces import Labels, Run, ToCluster

_BATCH = 1000
_PROBED = 1000
_TRIES = 10


class Birch(Clusterer):
    """A tree of subclusters of bounded radius, then Ward on the subclusters' centres.

    When the tree outgrows `max_subclusters`, the threshold is raised by half and the tree is
    rebuilt, as the paper does when memory runs out; when it has fewer subclusters than k, the
    threshold is lowered, by bisection. The order of the images matters.
    """

    source: ClassVar[str] = "Zhang, Ramakrishnan & Livny 1996; scikit-learn"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.cluster", "sklearn.neighbors", "sklearn.metrics")

    k: Clusters = "classes"
    """Number of clusters; "classes": as many as the scored images have classes."""
    threshold: Annotated[float, Field(gt=0)] = 0.7
    """Largest root mean square radius of a subcluster, in units of `threshold_unit`. Images that are
    all 1 apart have radius 0.7."""
    threshold_unit: Literal["neighbour_distance", "absolute"] = "neighbour_distance"
    """The median distance of an image to its nearest other, or the features' own unit."""
    branching: Annotated[int, Field(ge=2)] = 50
    """Most children of a node of the tree."""
    max_subclusters: Annotated[int, Field(ge=2), Unit("subclusters")] = 5000
    """Size of the tree at which the threshold is raised; Ward needs 8 bytes times half its square."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels below k; fewer, with a warning, where too few images differ."""
        import numpy as np
        from sklearn.cluster import AgglomerativeClustering
        from sklearn.metrics import pairwise_distances_argmin

        assert data.features is not None
        k = data.k(self.k)
        if k == 1:
            return np.zeros(data.n, np.int64)
        # Squared distances cancel badly far from the origin.
        centred = data.features - data.features.mean(axis=0, dtype=np.float64)
        unit = 1.0 if self.threshold_unit == "absolute" else _neighbour_distance(centred)
        threshold, centres = self._grow(centred, self.threshold * unit, k, run)
        run.facts["threshold_wanted"] = self.threshold * unit
        run.facts["threshold"] = threshold
        run.facts["subclusters"] = len(centres)
        if len(centres) <= k:
            if len(centres) < k:
                warnings.warn(
                    f"BIRCH: {len(centres)} subclusters for k = {k}: too few images differ", stacklevel=2
                )
            groups = np.arange(len(centres))
        else:
            groups = AgglomerativeClustering(k, linkage="ward").fit_predict(centres)
        return np.asarray(groups[pairwise_distances_argmin(centred, centres)], np.int64)

    def _grow(
        self, features: NDArray[np.float64], threshold: float, k: int, run: Run
    ) -> tuple[float, NDArray[Any]]:
        """Return a threshold that gives neither too many nor too few subclusters, and their centres."""
        limit = max(self.max_subclusters, 2 * k)
        low, high = 0.0, float("inf")  # thresholds known to give too many and too few
        tries = 0
        while True:
            centres = self._tree(features, threshold, limit, run)
            if len(centres) > limit:
                low = threshold
            elif len(centres) < k and tries < _TRIES:
                high = threshold
            else:
                return threshold, centres
            if high == float("inf"):
                threshold = 1.5 * low
            elif tries < _TRIES:
                tries += 1
                threshold = (low * high) ** 0.5 if low else high / 2
            else:
                threshold = high

    def _tree(
        self, features: NDArray[np.float64], threshold: float, limit: int, run: Run
    ) -> NDArray[np.float64]:
        """Return the centres of the subclusters; stop as soon as there are more than `limit`."""
        import numpy as np
        from sklearn.cluster import Birch as Engine

        tree = Engine(
            threshold=threshold, branching_factor=self.branching, n_clusters=None, compute_labels=False
        )
        for start in range(0, len(features), _BATCH):
            tree.partial_fit(features[start : start + _BATCH])
            if len(tree.subcluster_centers_) > limit:
                break
            run.report(min(start + _BATCH, len(features)), len(features), "images")
        return np.asarray(tree.subcluster_centers_)


def _neighbour_distance(features: NDArray[np.float64]) -> float:
    """Median distance to the nearest image that differs, over evenly spaced images; 1 if none does."""
    import numpy as np
    from sklearn.metrics import pairwise_distances_chunked

    probed = features[:: -(-len(features) // _PROBED)]
    scale = float(np.sqrt(np.square(features).sum(axis=1).mean()))

    def nearest(distances: NDArray[np.float64], start: int) -> NDArray[np.float64]:
        # Copies lie at rounding error from each other, not always at 0.
        return np.asarray(np.where(distances > 1e-6 * scale, distances, np.inf).min(axis=1))

    least = np.concatenate(list(pairwise_distances_chunked(probed, features, reduce_func=nearest)))
    real = least[np.isfinite(least)]
    return float(np.median(real)) if real.size else 1.0
