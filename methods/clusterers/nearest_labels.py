"""Few labels: every image gets the class of its nearest labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from bench.errors import DataError
from bench.interfaces import Clusterer, Count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.interfaces import Labels, Run, ToCluster


class NearestLabels(Clusterer):
    """Classifies images by their nearest neighbours among a few labelled ones of each class, drawn at random.

    No image is classified by its own label: a labelled one is classified by the others. So every score is
    over images whose class was not known. With `per_class: all` and one neighbour, the accuracy is the
    consensus of nearest neighbours. The record holds the accuracy on images without a given label, under
    `few_labels`; unlike ACC, it matches no clusters to classes.
    """

    source: ClassVar[str] = (
        "Cover & Hart 1967; Unsupervised learning using tumor cell images (few labelled samples per class)"
    )
    libraries: ClassVar[tuple[str, ...]] = ("sklearn.neighbors",)
    seeded: ClassVar[bool] = True
    uses_labels: ClassVar[bool] = True

    per_class: Count | Literal["all"] = 10
    """Labelled images per class, all of a class that has fewer; or all images."""
    neighbours: Count = 1
    """Labelled images that vote, at most all; of equally frequent classes that of the nearest wins."""

    def depends_on_seed(self) -> bool:
        """Only the draw does."""
        return self.per_class != "all"

    def cluster(self, data: ToCluster, run: Run) -> Labels:
        """Return class indices. Raises `DataError` if fewer than two images have a label."""
        import numpy as np

        assert data.features is not None
        truth = data.labels if data.labels is not None else np.full(data.n, -1)
        given = _drawn(truth, self.per_class, run.rng())
        if given.size < 2:
            raise DataError(
                f"nearest_labels: {given.size} labelled images among {data.n}; it needs at least 2, of which "
                "one names the other"
            )
        named = truth[given][_nearest(data.features, given, self.neighbours)]
        votes = (named[:, :, None] == named[:, None, :]).sum(axis=2)
        labels: Labels = named[np.arange(data.n), votes.argmax(axis=1)].astype(np.int64)
        run.facts["few_labels"] = _accuracy(truth, labels, given)
        return labels


def _drawn(truth: Labels, per_class: int | Literal["all"], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the images whose label is given, sorted."""
    import numpy as np

    if per_class == "all":
        return np.flatnonzero(truth >= 0)
    order = rng.permutation(truth.size)
    order = order[np.argsort(truth[order], kind="stable")]  # by class, at random within each
    classes, starts = np.unique(truth[order], return_index=True)
    rank = np.arange(order.size) - starts[np.searchsorted(classes, truth[order])]
    return np.asarray(np.sort(order[(rank < per_class) & (truth[order] >= 0)]), np.int64)


def _nearest(features: NDArray[np.float32], given: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Return, per image, the indices in `given` of its nearest others there, shape (n, k or fewer)."""
    import numpy as np
    from sklearn.neighbors import NearestNeighbors

    k = min(k, given.size - 1)
    x = features.astype(np.float64)
    found = NearestNeighbors(n_neighbors=k + 1).fit(x[given]).kneighbors(x, return_distance=False)
    own = given[found] == np.arange(len(x))[:, None]
    own[:, -1] |= ~own.any(axis=1)  # the farthest where the image itself is not among them
    return np.asarray(found[~own].reshape(len(x), k), np.int64)


def _accuracy(truth: Labels, labels: Labels, given: NDArray[np.int64]) -> dict[str, int | float | None]:
    """Count correct classes among the images of known class whose label was not given."""
    import numpy as np

    asked = truth >= 0
    asked[given] = False
    n = int(asked.sum())
    share = float((labels == truth)[asked].mean()) if n else None
    largest = float(np.bincount(truth[asked]).max() / n) if n else None
    return {"given": int(given.size), "images": n, "accuracy": share, "largest_class": largest}
