"""DEC on features: principal components refined until they fall into clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Clusterer, Clusters, Count, DataError, Unit

if TYPE_CHECKING:
    from bench.interfaces import Labels, Run, ToCluster


class DEC(Clusterer):
    """Labels by k-means on the principal components, refined together with the components (DEC, IDEC).

    The encoder that the features come from stays as it is; the encoder `dec` refines its own.
    """

    source: ClassVar[str] = "Xie et al., ICML 2016, arXiv 1511.06335; Guo et al., IJCAI 2017"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "sklearn.cluster", "lightning_fabric")
    seeded: ClassVar[bool] = True

    k: Clusters = "classes"
    """Number of clusters; "classes": as many as the scored images have classes."""
    dims: Count = 10
    """Principal components to start from; fewer where the features are fewer."""
    alpha: Annotated[float, Field(gt=0)] = 1.0
    """Degrees of freedom of Student's t."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.1
    """Of the divergence of the assignments from their target."""
    reconstruction_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the error of a linear reconstruction of the features; 0 is DEC, above is IDEC."""
    steps: Count = 20000
    """Most steps of refinement."""
    batch: Annotated[Count, Unit("images")] = 32
    """Images per step; all of them where they are fewer."""
    update: Annotated[Count, Unit("steps")] = 140
    """Steps between two looks at all images, which renew the target."""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 1e-5
    """End when fewer than this share of the images change cluster between two looks."""
    n_init: Count = 20
    """Starts of the k-means that the centres come from."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """The published settings are sgd with rate 1e-4 and momentum 0.01, which hardly move."""
    rate: Annotated[float, Field(gt=0)] = 0.001
    """Learning rate."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of sgd."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels 0..k-1; some may be empty. Raises `DataError` for features that are not finite."""
        import numpy as np
        import torch

        from bench.nn.dec import Embedded, Refinement, Settings, Vectors, linear_autoencoder
        from bench.nn.training import Epochs, Steps, train

        features = data.features
        assert features is not None
        if not np.isfinite(features).all():
            raise DataError("features hold NaN or infinity; look at the encoder that made them")
        k = data.k(self.k)
        if k == 1:
            return np.zeros(data.n, np.int64)
        dims, batch = min(self.dims, *features.shape), min(self.batch, data.n)
        embedded = Embedded(linear_autoencoder(features, dims, run.seed), k, dims, self.alpha)
        settings = Settings(
            kl_weight=self.kl_weight,
            reconstruction_weight=self.reconstruction_weight,
            update=self.update,
            tolerance=self.tolerance,
            n_init=self.n_init,
            optimizer=self.optimizer,
            rate=self.rate,
            momentum=self.momentum,
            seed=run.seed,
        )
        task = Refinement(Vectors(features), embedded, Epochs(data.n, batch, run.seed), settings)
        train(task, Steps(self.steps, batch), run)
        run.facts["converged"] = bool(task.stopped)
        device = task.target.device
        with torch.inference_mode():
            q = [embedded.assignments(embedded.network.encode(x)) for x in Vectors(features).all(device)]
        return np.asarray(torch.cat(q).argmax(1).cpu().numpy(), np.int64)
