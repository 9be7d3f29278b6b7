"""FastICA: independent components."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Count, Reducer, Unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.interfaces import Features, Run

_NO_VARIANCE = 1e-10
"""Share of the largest variance below which a principal component is rounding error."""


class FastICA(Reducer):
    """Independent components of the first `dims` principal components, each of variance 1.

    A rotation of `pca` with `whiten: true`: distances, so nearest neighbours and k-means too, are those
    there, and only the axes are FastICA's own. Components come by falling distance from a Gaussian
    (absolute excess kurtosis) and are positive on their longer tail. The record says whether the iteration
    converged; if not, with a warning.
    """

    source: ClassVar[str] = "Hyvarinen & Oja, Neural Networks 13 (2000) 411; scikit-learn"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.decomposition",)
    seeded: ClassVar[bool] = True

    dims: Annotated[Count, Unit("dimensions")] = 2
    """Number of components; fewer where the features vary in fewer directions."""
    fun: Literal["cube", "logcosh", "exp"] = "cube"
    """Approximation of negentropy that is maximised: kurtosis, or a function more robust to outliers."""
    max_iter: Count = 3000
    """Most iterations."""
    tolerance: Annotated[float, Field(gt=0)] = 1e-5
    """The iteration ends when no axis turns by more (1 minus the cosine)."""

    def reduce(self, features: Features, run: Run) -> Features:
        """Return features of shape (n, dims or fewer), at least one column."""
        import numpy as np
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # the sums of several threads differ in bits
            white = _whitened(features.astype(np.float64), self.dims)
            found = self._rotated(white, run) if white.shape[1] > 1 else white
        run.facts["dimensions"] = found.shape[1]
        return _ordered(found).astype(np.float32)

    def _rotated(self, white: NDArray[np.float64], run: Run) -> NDArray[np.float64]:
        from sklearn import decomposition
        from sklearn.exceptions import ConvergenceWarning

        engine = decomposition.FastICA(
            whiten=False, fun=self.fun, max_iter=self.max_iter, tol=self.tolerance, random_state=run.seed
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found: NDArray[np.float64] = engine.fit_transform(white)
        run.facts["iterations"] = int(engine.n_iter_)
        run.facts["converged"] = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
        if not run.facts["converged"]:
            warnings.warn(
                f"FastICA did not converge in {engine.n_iter_} iterations to a tolerance of "
                f"{self.tolerance:g}; its axes may be arbitrary",
                stacklevel=1,
            )
        return found


def _whitened(x: NDArray[np.float64], dims: int) -> NDArray[np.float64]:
    """Return the leading principal components that vary, each of variance 1, or a column of zeros."""
    import numpy as np
    from sklearn.decomposition import PCA

    n, d = x.shape
    if not np.ptp(x, axis=0).any():
        return np.zeros((n, 1))
    engine = PCA(svd_solver="covariance_eigh" if n >= d else "full").fit(x)
    variance = engine.explained_variance_[:dims]
    positive = variance > _NO_VARIANCE * engine.explained_variance_[0]
    if not positive.any():
        return np.zeros((n, 1))
    white: NDArray[np.float64] = (x - engine.mean_) @ engine.components_[:dims][positive].T
    white /= np.sqrt(variance[positive])
    return white


def _ordered(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fix the order and the signs of components of variance 1."""
    import numpy as np

    kurtosis = np.abs(np.mean(x**4, axis=0) - 3)
    signs = np.where(np.mean(x**3, axis=0) < 0, -1.0, 1.0)
    return np.asarray((x * signs)[:, np.argsort(-kurtosis, kind="stable")])
