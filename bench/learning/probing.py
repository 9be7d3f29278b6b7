"""Base of probes: classifiers of the features of an encoder that is fitted in a stage of its own.

Adapters import this file, so it imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from bench.errors import DataError
from bench.interfaces import Classifier, Encoder

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import ClassProbabilities, Features, Labels, Run

_FILE = "probe.json"


class Probe(Classifier):
    """A simple classifier of an encoder's features; the encoder is not trained further."""

    seeded: ClassVar[bool] = True

    encoder: Encoder
    """What turns images into features, e.g. `{use: dino, ...}`. If it learns, it is fitted in a stage of its
    own, without labels unless it declares that it uses them, and shared with other methods of the suite."""

    def depends_on_seed(self) -> bool:
        """Return whether the features do: the rest follows from them."""
        return self.encoder.depends_on_seed()

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Encode the labelled images and learn from their features.

        Raises `DataError` for images of fewer than two classes.
        """
        import numpy as np

        from bench.learning.supervised import labelled
        from bench.util.durable import seal, write_whole

        known = labelled(images, self._name())
        visible = known.images
        if type(self.encoder).uses_labels:
            own = np.array([images.classes.index(name) for name in known.classes])
            visible = replace(visible, labels=own[known.targets])
        features = self._encoded(visible, run)
        run.facts["images"] = len(features)
        run.facts["feature_dimension"] = features.shape[1]
        self.learn(features, known.targets, len(known.classes), weights, run)
        # an encoder without a fit may draw its weights from the seed: predictions need the same ones
        write_whole(weights / _FILE, seal({"classes": known.classes, "seed": run.seed}))

    def predict(self, images: Prepared, weights: Path, run: Run) -> ClassProbabilities:
        """Return probabilities, shape (n, classes)."""
        from bench.learning.supervised import by_class
        from bench.util.durable import unseal

        about = unseal((weights / _FILE).read_bytes(), str(weights / _FILE))
        features = self._encoded(images, replace(run, seed=about["seed"]))
        found = self.apply(features, len(about["classes"]), weights, run)
        return by_class(found, about["classes"], images.classes, self._name())

    def learn(self, features: Features, targets: Labels, k: int, weights: Path, run: Run) -> None:
        """Learn from features (n, d) and their classes, int64 (n,), 0 to k - 1; write into `weights`."""
        raise NotImplementedError

    def apply(self, features: Features, k: int, weights: Path, run: Run) -> ClassProbabilities:
        """Return probabilities of shape (n, k)."""
        raise NotImplementedError

    def _name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    def _encoded(self, images: Prepared, run: Run) -> Features:
        import numpy as np

        own = replace(run, facts={})
        features = self.encoder.encode(images, run.encoder_weights, own)
        if (
            run.encoder_weights is None and own.facts
        ):  # else its fit stage records where the weights come from
            run.facts["encoder"] = own.facts
        if features.ndim != 2 or len(features) != len(images) or not np.isfinite(features).all():
            raise DataError(
                f"{self._name()}: encoder {self.encoder.use} returned shape {features.shape} for "
                f"{len(images)} images, or values that are not finite; it must return finite (n, d)"
            )
        return features
