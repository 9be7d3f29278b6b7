"""Ward's hierarchical clustering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from bench.interfaces import Clusterer, Clusters, Count, Unit

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class Ward(Clusterer):
    """Merge the two clusters whose union adds least variance, until k are left.

    Above `full_up_to` images only clusters joined by an edge of the nearest-neighbour graph may
    merge: all pairs would need 8 bytes times n^2 / 2 of memory.
    """

    source: ClassVar[str] = "Ward 1963; scikit-learn"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.cluster", "sklearn.neighbors")

    k: Clusters = "classes"
    """Number of clusters; "classes": the number of classes of the scored images."""
    full_up_to: Annotated[Count, Unit("images")] = 10_000
    """Images up to which any two clusters may merge (10,000 images: 400 MB)."""
    neighbours: Count = 20
    """Nearest others each image is linked to above `full_up_to`."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels 0..k-1."""
        import numpy as np
        from sklearn.cluster import AgglomerativeClustering

        from bench.learning.neighbours import join_components, neighbour_graph

        assert data.features is not None
        k = data.k(self.k)
        if k == 1:
            return np.zeros(data.n, np.int64)
        graph = None
        if data.n > self.full_up_to:
            # A fixed seed: beyond the exact search, the graph is part of the definition.
            graph = neighbour_graph(data.features, self.neighbours, seed=0, threads=run.threads)
            graph, run.facts["components"] = join_components(graph, data.features)
        run.facts["merges"] = "all pairs" if graph is None else "neighbours only"
        engine = AgglomerativeClustering(k, linkage="ward", connectivity=graph)
        return np.asarray(engine.fit_predict(data.features), np.int64)
