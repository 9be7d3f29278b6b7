"""Principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from bench.interfaces import Count, Reducer, Unit

if TYPE_CHECKING:
    from bench.interfaces import Features, Run

_NO_VARIANCE = 1e-10
"""Share of the largest variance below which a component is rounding error and is never whitened."""


class PCA(Reducer):
    """Project the centred features on their principal axes, by a full decomposition.

    Signs are fixed: the entry of largest magnitude of every axis is positive.
    """

    source: ClassVar[str] = "Pearson 1901; Hotelling 1933; scikit-learn"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.decomposition",)

    dims: (
        Annotated[Count, Unit("dimensions")]
        | Annotated[float, Field(gt=0, lt=1), Unit("share of the variance")]
    ) = 50
    """Number of components (at most as many as images and features), or the share of the variance
    that the components must explain, as few as possible."""
    whiten: bool = False
    """Scale every component to variance 1; components without variance are dropped."""

    def reduce(self, features: Features, run: Run) -> Features:
        """Return features of shape (n, dims or fewer), at least one column."""
        import numpy as np
        from sklearn import decomposition

        wide = features.astype(np.float64)
        n, d = wide.shape
        if n == 1:
            return np.zeros((1, 1), np.float32)
        engine = decomposition.PCA(svd_solver="covariance_eigh" if n >= d else "full").fit(wide)
        variance = engine.explained_variance_
        shares = variance / (variance.sum() or 1.0)
        if isinstance(self.dims, int):
            kept = min(self.dims, len(variance))
        else:
            kept = int(np.searchsorted(np.cumsum(shares), self.dims - 1e-12)) + 1
            kept = min(kept, len(variance))
        if self.whiten:
            kept = max(1, min(kept, int((variance > _NO_VARIANCE * variance[0]).sum())))
        run.facts["dimensions"] = kept
        run.facts["explained_variance"] = float(shares[:kept].sum())
        reduced = (wide - engine.mean_) @ engine.components_[:kept].T
        if self.whiten and variance[0] > 0:
            reduced /= np.sqrt(variance[:kept])
        return np.asarray(reduced, np.float32)
