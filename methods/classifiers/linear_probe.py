"""Multinomial logistic regression on an encoder's features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from bench.interfaces import Count
from bench.learning.probing import Probe

if TYPE_CHECKING:
    from pathlib import Path

    from bench.interfaces import ClassProbabilities, Features, Labels, Run

_FILE = "linear.safetensors"


class LinearProbe(Probe):
    """How well hyperplanes separate the classes: features are standardised, their encoder is not changed."""

    source: ClassVar[str] = "Alain and Bengio 2016, arXiv 1610.01644; scikit-learn LogisticRegression"
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.linear_model", "safetensors")

    C: Annotated[float, Field(gt=0)] = 1.0
    """Inverse of the strength of the L2 penalty."""
    class_weights: Literal["balanced", "none"] = "balanced"
    """Weight of an image in the loss. balanced: so that all classes count the same."""
    max_iter: Count = 1000
    """Most iterations of L-BFGS; the record says whether they sufficed."""

    def learn(self, features: Features, targets: Labels, k: int, weights: Path, run: Run) -> None:
        """Fit, and write means, scales and coefficients."""
        import numpy as np
        from safetensors.numpy import save
        from sklearn.linear_model import LogisticRegression

        from bench.util.durable import write_whole

        x = features.astype(np.float64)
        mean, scale = x.mean(axis=0), x.std(axis=0)
        scale[scale <= 1e-12 * np.maximum(1, np.abs(mean))] = 1.0  # a constant feature carries no information
        engine = LogisticRegression(
            C=self.C,
            class_weight="balanced" if self.class_weights == "balanced" else None,
            max_iter=self.max_iter,
        ).fit((x - mean) / scale, targets)
        run.facts["iterations"] = int(engine.n_iter_.max())
        run.facts["converged"] = bool(engine.n_iter_.max() < self.max_iter)
        run.facts["fit_accuracy"] = round(float(engine.score((x - mean) / scale, targets)), 6)
        coefficients, offsets = engine.coef_, engine.intercept_
        if k == 2:  # scikit-learn keeps the log-odds of the second class only
            coefficients, offsets = (np.concatenate([0 * a, a]) for a in (coefficients, offsets))
        tensors = {"mean": mean, "scale": scale, "coefficients": coefficients, "offsets": offsets}
        write_whole(weights / _FILE, save({n: np.ascontiguousarray(a) for n, a in tensors.items()}))

    def apply(self, features: Features, k: int, weights: Path, run: Run) -> ClassProbabilities:
        """Return the softmax of the linear functions."""
        import numpy as np
        from safetensors.numpy import load

        t = load((weights / _FILE).read_bytes())
        odds = (features.astype(np.float64) - t["mean"]) / t["scale"] @ t["coefficients"].T + t["offsets"]
        p = np.exp(odds - odds.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True), np.float32)
