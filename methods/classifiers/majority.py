"""Trivial baseline: every image is of the most frequent class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bench.errors import DataError
from bench.interfaces import Classifier

if TYPE_CHECKING:
    from pathlib import Path

    from bench.images import Prepared
    from bench.interfaces import Labels, Run

_FILE = "majority.json"


class Majority(Classifier):
    """The majority class of the images fitted on; of equally frequent ones, the first by name.

    The class is stored by name, so it may be predicted for images of further classes.
    """

    source: ClassVar[str] = "none: a trivial baseline"
    trivial: ClassVar[bool] = True

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Write the majority class to `majority.json`. Raises `DataError` if no image has a label."""
        import json

        import numpy as np

        known = images.labels[images.labels >= 0] if images.labels is not None else np.empty(0, np.int64)
        if not known.size:
            raise DataError(f"majority: none of the {len(images)} images to fit on has a label")
        counts = np.bincount(known, minlength=len(images.classes))
        best = int(counts.argmax())
        run.facts["majority"] = name = images.classes[best]
        run.facts["share"] = share = float(counts[best] / known.size)
        (weights / _FILE).write_text(json.dumps({"class": name, "share": share}), encoding="utf-8")

    def predict(self, images: Prepared, weights: Path, run: Run) -> Labels:
        """Return the index of the fitted class for every image.

        Raises `DataError` if the class is not one of the images'.
        """
        import json

        import numpy as np

        name = json.loads((weights / _FILE).read_text(encoding="utf-8"))["class"]
        if name not in images.classes:
            raise DataError(
                f"majority: the fitted class {name!r} is not among the {len(images.classes)} classes "
                f"of the images to predict; fit and score on the same classes"
            )
        return np.full(len(images), list(images.classes).index(name), np.int64)
