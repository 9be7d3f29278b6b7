"""DEC on features: principal components refined until they fall into clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from bench.errors import DataError
from bench.interfaces import Clusterer, Clusters, Count, Unit
from bench.nn.refining import Refining

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class DecClusterer(Refining, Clusterer):
    """Labels by k-means on the principal components, refined together with the components (DEC, IDEC).

    The encoder that the features come from stays as it is; the encoder `dec` refines its own.
    """

    source: ClassVar[str] = "Xie et al., ICML 2016, arXiv 1511.06335; Guo et al., IJCAI 2017"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "sklearn.cluster", "lightning_fabric")
    seeded: ClassVar[bool] = True

    k: Clusters = "classes"
    """Number of clusters; "classes": the number of classes of the scored images."""
    dims: Count = 10
    """Principal components to start from; fewer where the features are fewer."""
    steps: Count = 20000
    """Most steps of refinement."""
    batch: Annotated[Count, Unit("images")] = 32
    """Images per step; all of them where they are fewer."""
    rate: Annotated[float, Field(gt=0)] = 0.001
    """Learning rate (lr)."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels 0..k-1; some may be empty. Raises `DataError` for features that are not finite."""
        import numpy as np
        import torch

        from bench.nn.dec import Embedded, Refinement, Vectors, linear_autoencoder
        from bench.nn.training import Epochs, Steps, train

        features = data.features
        assert features is not None
        if not np.isfinite(features).all():
            raise DataError("features contain NaN or infinity; check the encoder that made them")
        k = data.k(self.k)
        if k == 1:
            return np.zeros(data.n, np.int64)
        dims, batch = min(self.dims, *features.shape), min(self.batch, data.n)
        embedded = Embedded(linear_autoencoder(features, dims, run.seed), k, dims, self.alpha)
        settings = self.settings(self.rate, run.seed)
        task = Refinement(Vectors(features), embedded, Epochs(data.n, batch, run.seed), settings)
        train(task, Steps(self.steps, batch), run)
        run.facts["converged"] = bool(task.stopped)
        device = task.target.device
        with torch.inference_mode():
            q = [embedded.assignments(embedded.network.encode(x)) for x in Vectors(features).all(device)]
        return np.asarray(torch.cat(q).argmax(1).cpu().numpy(), np.int64)
