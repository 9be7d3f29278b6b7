"""HDBSCAN: density clusters of varying density, and noise."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from bench.errors import DataError
from bench.interfaces import Clusterer, Count, Unit

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster

_MANY_DIMENSIONS = 50


class HDBSCAN(Clusterer):
    """The stablest clusters of the hierarchy of density; images in none are noise, -1.

    With equal parameters the three engines agree up to ties, except that `hdbscan` may
    approximate the spanning tree, which gives other clusters.
    """

    source: ClassVar[str] = "Campello, Moulavi & Sander 2013; McInnes & Healy 2017"
    libraries: ClassVar[tuple[str, ...]] = ("fast_hdbscan", "hdbscan", "sklearn.cluster", "numba")

    min_cluster_size: (
        Annotated[int, Field(ge=2), Unit("images")]
        | Annotated[float, Field(gt=0, lt=1), Unit("fraction of the images")]
    ) = 0.01
    """Fewest images of a cluster: a number, or a fraction of the images (at least 2)."""
    min_samples: Annotated[Count, Unit("images")] = 10
    """Neighbours that make an image's surroundings dense, the image itself NOT counted (scikit-learn
    counts it, and is given one more)."""
    engine: Literal["fast_hdbscan", "hdbscan", "sklearn"] = "fast_hdbscan"
    """Library. For time and memory only, unless `approximate_tree`."""
    approximate_tree: bool = False
    """Approximate the spanning tree; the default of the `hdbscan` library, and only for it."""
    selection: Literal["eom", "leaf"] = "eom"
    """Take the stablest clusters (excess of mass) or the finest (leaves of the hierarchy)."""
    allow_single_cluster: bool = False
    """Whether a single cluster of all dense images is allowed (allow_single_cluster)."""

    @field_validator("approximate_tree")
    @classmethod
    def _only_hdbscan_approximates(cls, value: bool, info: ValidationInfo) -> bool:
        engine = info.data.get("engine")
        if value and engine != "hdbscan":
            raise ValueError(f"only engine: hdbscan can approximate the tree, not {engine}")
        return value

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels 0..., and -1 for noise.

        Raises `DataError` where there are not more images than `min_samples`, or fewer than
        `min_cluster_size`.
        """
        import numpy as np

        assert data.features is not None
        size = self._cluster_size(data.n)
        dimensions = data.features.shape[1]
        if dimensions > _MANY_DIMENSIONS:
            warnings.warn(
                f"HDBSCAN on {dimensions} dimensions takes quadratic time and finds little density; "
                f"put `reduce` before it (umap or pca)",
                stacklevel=2,
            )
        run.facts["engine"] = self.engine
        run.facts["approximate_tree"] = self.approximate_tree
        run.facts["min_samples_counts_the_image_itself"] = False
        run.facts["min_cluster_size"] = size
        labels = np.asarray(self._engine(size, run.threads).fit(data.features).labels_, np.int64)
        run.facts["clusters"] = int(labels.max()) + 1
        run.facts["noise_share"] = float((labels < 0).mean())
        return labels

    def _cluster_size(self, n: int) -> int:
        wanted = self.min_cluster_size
        size = wanted if isinstance(wanted, int) else max(2, round(wanted * n))
        if size > n:
            raise DataError(
                f"min_cluster_size: {size} is more than the {n} images; give a fraction, e.g. 0.01"
            )
        if self.min_samples >= n:
            raise DataError(
                f"min_samples: {self.min_samples} neighbours need at least {self.min_samples + 1} images, "
                f"there are {n}; lower it"
            )
        return size

    def _engine(self, size: int, threads: int) -> Any:
        common: dict[str, Any] = {
            "min_cluster_size": size,
            "min_samples": self.min_samples,
            "cluster_selection_method": self.selection,
            "allow_single_cluster": self.allow_single_cluster,
        }
        if self.engine == "hdbscan":
            import hdbscan

            return hdbscan.HDBSCAN(
                **common, approx_min_span_tree=self.approximate_tree, core_dist_n_jobs=threads
            )
        if self.engine == "sklearn":
            import sklearn.cluster

            common["min_samples"] = self.min_samples + 1
            return sklearn.cluster.HDBSCAN(**common, n_jobs=threads, copy=True)
        import inspect

        import fast_hdbscan
        import numba

        numba.set_num_threads(min(threads, vars(numba.config)["NUMBA_NUM_THREADS"]))
        if "reproducible" in inspect.signature(fast_hdbscan.HDBSCAN).parameters:
            common["reproducible"] = True
        return fast_hdbscan.HDBSCAN(**common)
