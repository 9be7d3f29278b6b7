"""Spectral clustering on the graph of nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from bench.errors import DataError
from bench.interfaces import Clusterer, Clusters, Count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from bench.interfaces import Labels, Run, ToCluster

_DENSE_UP_TO = 200
"""Images up to which all eigenvectors are computed: exact, and Krylov methods need k well below n."""


class Spectral(Clusterer):
    """k-means on the first k eigenvectors of the random walk on the neighbour graph.

    Affinity 1 between mutual nearest neighbours, 0.5 where only one is the other's. A graph in
    several pieces is made connected by single edges between neighbouring pieces.
    """

    source: ClassVar[str] = "Shi & Malik 2000; von Luxburg 2007, section 4"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.cluster", "sklearn.neighbors", "scipy.sparse.linalg")
    seeded: ClassVar[bool] = True

    k: Clusters = "classes"
    """Number of clusters; "classes": the number of classes of the scored images."""
    neighbours: Count = 10
    """Nearest others each image is linked to, itself not counted."""
    solver: Literal["arpack", "amg"] = "arpack"
    """Eigensolver. arpack works on the largest eigenvalues of the walk and needs no factorisation;
    amg (LOBPCG with an algebraic multigrid preconditioner, needs pyamg) is for millions of images."""
    n_init: Count = 10
    """Number of starts of the final k-means."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels 0..k-1. Raises `DataError` where `amg` is asked for and pyamg is missing."""
        import numpy as np
        from sklearn.cluster import KMeans

        from bench.learning.neighbours import join_components, neighbour_graph

        assert data.features is not None
        k = data.k(self.k)
        if k == 1:
            return np.zeros(data.n, np.int64)
        graph = neighbour_graph(data.features, self.neighbours, seed=run.seed, threads=run.threads)
        graph, components = join_components(graph, data.features)
        run.facts["components"] = components
        run.report(1, 3, "graph")
        rows = self._embed(graph, k, run)
        run.report(2, 3, "eigenvectors")
        engine = KMeans(k, n_init=self.n_init, random_state=run.seed).fit(rows)
        return np.asarray(engine.labels_, np.int64)

    def _embed(self, graph: csr_matrix, k: int, run: Run) -> NDArray[np.float64]:
        """Return the k first eigenvectors of the random walk D^-1 A, shape (n, k)."""
        import numpy as np
        from scipy.sparse import csr_matrix, diags
        from scipy.sparse.linalg import eigsh

        n = graph.shape[0]
        scale = 1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
        if n <= _DENSE_UP_TO or 2 * k > n:
            run.facts["eigensolver"] = "dense"
            walk = graph.toarray() * scale[:, None] * scale[None, :]
            vectors = np.linalg.eigh(walk)[1][:, -k:]
        elif self.solver == "arpack":
            run.facts["eigensolver"] = "arpack"
            sparse = csr_matrix(diags(scale) @ graph @ diags(scale))
            start = run.rng().uniform(0.5, 1.5, n) / scale
            vectors = eigsh(sparse, k, which="LA", v0=start, ncv=min(n, max(4 * k, 60)))[1]
        else:
            run.facts["eigensolver"] = "amg"
            return _amg(graph, k, run.seed)
        return np.asarray(vectors * scale[:, None], np.float64)


def _amg(graph: csr_matrix, k: int, seed: int) -> NDArray[np.float64]:
    import importlib.util

    import numpy as np

    if importlib.util.find_spec("pyamg") is None:
        raise DataError("solver: amg needs pyamg; install cutjoin[amg], or use arpack")
    from sklearn.manifold import spectral_embedding

    found = spectral_embedding(graph, n_components=k, eigen_solver="amg", random_state=seed, drop_first=False)
    return np.asarray(found, np.float64)
