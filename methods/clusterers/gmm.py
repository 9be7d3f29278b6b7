"""Gaussian mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Clusterer, Clusters, Count, Unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.interfaces import Features, Labels, Run, ToCluster


class GMM(Clusterer):
    """Gaussian mixture by expectation maximisation; every image goes to its likeliest component.

    Features are divided by one number, the root of their mean variance, so that `regularise`
    means the same on every scale.
    """

    source: ClassVar[str] = "Dempster, Laird & Rubin 1977; scikit-learn"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.mixture", "sklearn.decomposition")
    seeded: ClassVar[bool] = True

    k: Clusters = "classes"
    """Number of components; "classes": the number of classes of the scored images."""
    covariance: Literal["full", "diag"] = "full"
    """Any ellipsoid per component, or ellipsoids along the axes."""
    pca: Annotated[Count, Unit("dimensions")] | None = 50
    """Features of more dimensions are first projected on this many principal components (at most n);
    null for never. A full covariance of d dimensions has d^2 / 2 numbers per component."""
    n_init: Count = 1
    """Number of starts, each from k-means."""
    max_iter: Count = 200
    """Most iterations per start."""
    regularise: Annotated[float, Field(ge=0)] = 1e-4
    """Added to every variance, as a share of the mean variance of the features."""

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return labels below k; components without an image leave a gap."""
        import numpy as np
        from sklearn.mixture import GaussianMixture

        assert data.features is not None
        k = data.k(self.k)
        if k == 1:
            return np.zeros(data.n, np.int64)
        scaled = self._project(data.features, run)
        engine = GaussianMixture(
            k,
            covariance_type=self.covariance,
            n_init=self.n_init,
            max_iter=self.max_iter,
            reg_covar=self.regularise,
            random_state=run.seed,
        )
        labels = np.asarray(engine.fit_predict(scaled), np.int64)
        run.facts["converged"] = bool(engine.converged_)
        run.facts["iterations"] = int(engine.n_iter_)
        run.facts["log_likelihood_per_image"] = float(engine.lower_bound_)
        return labels

    def _project(self, features: Features, run: Run) -> NDArray[np.float64]:
        import numpy as np
        from sklearn.decomposition import PCA

        wide = features.astype(np.float64)
        n, d = wide.shape
        if self.pca is not None and d > self.pca:
            solver = "covariance_eigh" if n >= d else "full"
            wide = PCA(min(self.pca, n), svd_solver=solver).fit_transform(wide)
            run.facts["pca_dimensions"] = wide.shape[1]
        spread = float(np.sqrt(wide.var(axis=0).mean()))
        return np.asarray((wide - wide.mean(axis=0)) / (spread or 1.0))
