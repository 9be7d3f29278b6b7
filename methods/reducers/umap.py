"""UMAP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.errors import DataError
from bench.interfaces import Count, Reducer, Unit

if TYPE_CHECKING:
    from bench.interfaces import Features, Run


class UMAP(Reducer):
    """Uniform manifold approximation and projection, on one thread so that a seed fixes the result."""

    source: ClassVar[str] = "McInnes, Healy & Melville 2018; umap-learn"
    libraries: ClassVar[tuple[str, ...]] = ("umap",)
    seeded: ClassVar[bool] = True
    for_maps: ClassVar[bool] = True

    dims: Annotated[Count, Unit("dimensions")] = 2
    """Dimensions of the result."""
    n_neighbors: Annotated[int, Field(ge=2), Unit("images")] = 30
    """Nearest images, the image itself counted, that shape its surroundings; at most n - 1 are used."""
    min_dist: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How close points may lie in the result; 0 packs clusters densest."""
    metric: Literal["euclidean", "cosine", "correlation", "manhattan"] = "euclidean"
    """Distance between features."""

    @classmethod
    def warm_up(cls) -> None:
        """Have numba compile what small sets run through: some 10 seconds, else paid in every stage."""
        import numpy as np
        import umap

        points = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
        umap.UMAP(n_neighbors=10, random_state=0, n_jobs=1).fit_transform(points)

    def reduce(self, features: Features, run: Run) -> Features:
        """Return features of shape (n, dims). Raises `DataError` for n < dims + 3 or n < 4."""
        import numpy as np
        import umap

        n = len(features)
        least = max(4, self.dims + 3)
        if n < least:
            raise DataError(f"umap: {self.dims} dims need at least {least} images, there are {n}")
        neighbours = min(self.n_neighbors, n - 1)
        engine = umap.UMAP(
            n_components=self.dims,
            n_neighbors=neighbours,
            min_dist=self.min_dist,
            metric=self.metric,
            random_state=run.seed,
            n_jobs=1,
        )
        run.facts["umap_version"] = str(umap.__version__)
        run.facts["n_jobs"] = 1
        run.facts["n_neighbors"] = neighbours
        reduced = np.asarray(engine.fit_transform(features), np.float32)
        lost = int((~np.isfinite(reduced).all(axis=1)).sum())
        if lost:
            raise DataError(
                f"umap: {lost} of {n} images were not embedded: they have no neighbours by the {self.metric} "
                f"distance; are their features all zero? Try metric: euclidean"
            )
        return reduced
