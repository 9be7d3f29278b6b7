"""Votes of the nearest neighbours among an encoder's features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from bench.interfaces import Count
from bench.learning.probing import Probe

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.interfaces import ClassProbabilities, Features, Labels, Run

_BLOCK = 1 << 24
"""Similarities held in memory at a time."""


class KnnProbe(Probe):
    """The classes of the k nearest labelled images vote; nothing is trained, so nothing is tuned.

    Votes weigh exp(similarity / temperature), as in DINO's evaluation, or all the same. All labelled images
    are compared: n labelled and m to predict cost O(n m d).
    """

    source: ClassVar[str] = "Wu et al. 2018, arXiv 1805.01978; Caron et al. 2021 (DINO), arXiv 2104.14294"
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)

    k: Count = 20
    """Neighbours that vote; all labelled images if they are fewer."""
    metric: Literal["cosine", "euclidean"] = "cosine"
    """Distance between features."""
    votes: Literal["temperature", "uniform"] | None = None
    """How votes weigh; unless given, by temperature for cosine and uniform for euclidean."""
    temperature: Annotated[float, Field(gt=0)] = 0.07
    """Lower values give the nearest neighbours more weight."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.metric == "euclidean" and self.votes == "temperature":
            raise ValueError("votes: a temperature is for cosine similarities; use uniform with euclidean")
        return self

    def learn(self, features: Features, targets: Labels, k: int, weights: Path, run: Run) -> None:
        """Keep the features and their classes."""
        import numpy as np

        run.facts["neighbours"] = min(self.k, len(features))
        np.save(weights / "features.npy", self._scaled(features), allow_pickle=False)
        np.save(weights / "targets.npy", targets, allow_pickle=False)

    def apply(self, features: Features, k: int, weights: Path, run: Run) -> ClassProbabilities:
        """Return each class's share of the votes. Of equally near images the first ones vote."""
        import numpy as np

        known = np.load(weights / "features.npy", allow_pickle=False)
        targets = np.load(weights / "targets.npy", allow_pickle=False)
        wanted = self._scaled(features)
        found = np.zeros((len(features), k))
        step = max(1, _BLOCK // len(known))
        for start in range(0, len(features), step):
            near = self._nearness(wanted[start : start + step], known)
            nearest = np.argsort(-near, axis=1, kind="stable")[:, : self.k]
            weight = np.ones(nearest.shape)
            if self.metric == "cosine" and self.votes != "uniform":
                s = np.take_along_axis(near, nearest, axis=1)
                weight = np.exp((s - s[:, :1]) / self.temperature)  # relative to the nearest: no overflow
            for c in range(k):
                found[start : start + step, c] = (weight * (targets[nearest] == c)).sum(axis=1)
            run.report(min(start + step, len(features)), len(features), "images")
        return np.asarray(found / found.sum(axis=1, keepdims=True), np.float32)

    def _scaled(self, features: Features) -> NDArray[np.float64]:
        import numpy as np

        x = features.astype(np.float64)
        if self.metric == "cosine":
            x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        return x

    def _nearness(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return cosines, or negative squared distances, shape (len(a), len(b))."""
        import numpy as np

        products = a @ b.T
        if self.metric == "cosine":
            return np.asarray(products)
        return np.asarray(2 * products - (b**2).sum(axis=1) - (a**2).sum(axis=1)[:, None])
