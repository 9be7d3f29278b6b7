"""Shared code of classifiers: images with labels, probabilities by class name, and their scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.images import Prepared
from bench.metrics.classification import ClassScores, ClassScoring, precision_recall

if TYPE_CHECKING:
    from bench.interfaces import ClassProbabilities


@dataclass(frozen=True)
class Labelled:
    """Images to learn from: all have a label."""

    images: Prepared
    """Without labels of its own, for adapters that must not see them."""
    targets: NDArray[np.int64]
    """Position in `classes` per image."""
    classes: list[str]
    """Names of the classes that occur, at least two, in the order of the image set."""


def labelled(images: Prepared, who: str) -> Labelled:
    """Return the images that have a label. Raises `DataError` if they are of fewer than two classes."""
    labels = images.labels if images.labels is not None else np.full(len(images), -1)
    known = np.flatnonzero(labels >= 0)
    present, targets = np.unique(labels[known], return_inverse=True)
    classes = [images.classes[int(c)] for c in present]
    if len(classes) < 2:
        found = f"all of {classes[0]!r}" if classes else "none with a label"
        raise DataError(
            f"{who}: images of at least 2 classes are needed to fit; of these {len(images)}, {known.size} "
            f"have a label, {found}; select other images with `fit`"
        )
    own = Prepared(images.pixels, images.rows[known], [images.ids[i] for i in known.tolist()], images.classes)
    return Labelled(own, targets.astype(np.int64), classes)


def balanced(targets: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Return the weight of each class that makes all count the same: n / (k * size), mean 1 over images."""
    weights: NDArray[np.float64] = targets.size / (k * np.bincount(targets, minlength=k).astype(np.float64))
    return weights


def by_class(
    probabilities: NDArray[Any], fitted: Sequence[str], classes: Sequence[str], who: str
) -> ClassProbabilities:
    """Spread probabilities of fitted classes over those of the images to predict; others have 0.

    Parameters
    ----------
    probabilities : (n, fitted classes).

    Raises
    ------
    DataError : a fitted class is not among `classes`.
    """
    missing = [name for name in fitted if name not in classes]
    if missing:
        raise DataError(
            f"{who}: the fitted class {missing[0]!r} is not among the {len(classes)} classes of the images "
            f"to predict; fit and score on the same classes"
        )
    found = np.zeros((len(probabilities), len(classes)), np.float32)
    found[:, [list(classes).index(name) for name in fitted]] = probabilities
    return found


def judged(
    images: Prepared,
    pred: NDArray[np.int64],
    probabilities: NDArray[np.float32] | None,
    scoring: ClassScoring,
    rng: np.random.Generator,
) -> tuple[ClassScores, dict[str, Any]]:
    """Score predicted classes of labelled images; also return facts for the record.

    Returns
    -------
    The scores, and `precision_recall`, the curve, of two classes with probabilities; `collapsed`, a
    sentence if all images were predicted as one class though they are of several, else None.
    """
    assert images.labels is not None
    truth, classes = images.labels, images.classes
    found = scoring.score(truth, pred, probabilities, rng)
    facts: dict[str, Any] = {}
    known = np.flatnonzero(truth >= 0)
    present, given = np.unique(truth[known]), np.unique(pred[known])
    if probabilities is not None and present.size == 2:
        curve = precision_recall(truth[known] == present[1], probabilities[known, present[1]])
        facts["precision_recall"] = {"class": classes[present[1]], **curve}
    facts["collapsed"] = None
    if given.size == 1 and present.size > 1:
        name = repr(classes[given[0]]) if given[0] >= 0 else "noise"
        balance = found.values["balanced_accuracy"]
        facts["collapsed"] = (
            f"collapsed: all {known.size} images are predicted as {name} (balanced accuracy {balance:.3g})"
        )
    return found, facts


def overlap(fitted: NDArray[np.int64] | None, scored: Prepared) -> dict[str, int]:
    """Return how many images a classifier was fitted on, and how many of the scored ones are among them.

    `fitted` are rows of the prepared images, None for all of them. Warns if there are any.
    """
    both = len(scored) if fitted is None else int(np.isin(scored.rows, fitted).sum())
    if both:
        text = f"{both} of the {len(scored)} scored images were fitted on, with their labels"
        warnings.warn(text, stacklevel=2)
    return {"images": len(scored.pixels) if fitted is None else len(fitted), "scored": both}
