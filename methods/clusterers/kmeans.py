"""k-means."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bench.interfaces import Clusterer, Clusters, Count

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class KMeans(Clusterer):
    """Lloyd's k-means with k-means++ starts; the start with the least inertia wins."""

    source: ClassVar[str] = "Lloyd 1982; Arthur & Vassilvitskii 2007; scikit-learn"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.cluster",)
    seeded: ClassVar[bool] = True

    k: Clusters = "classes"
    """Number of clusters; "classes": the number of classes of the scored images."""
    n_init: Count = 10
    """Number of starts."""
    max_iter: Count = 1000
    """Most iterations per start."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels 0..k-1; fewer where fewer images differ."""
        import numpy as np
        from sklearn.cluster import KMeans as Engine

        assert data.features is not None
        engine = Engine(
            data.k(self.k), n_init=self.n_init, max_iter=self.max_iter, random_state=run.seed
        ).fit(data.features)
        run.facts["inertia"] = float(engine.inertia_)
        run.facts["iterations"] = int(engine.n_iter_)
        run.facts["converged"] = bool(engine.n_iter_ < self.max_iter)
        return np.asarray(engine.labels_, np.int64)
