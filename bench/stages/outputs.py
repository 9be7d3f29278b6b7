"""Validates the outputs of adapters and converts them for the store.

Each function raises `DataError` that names the adapter (`who`), what it returned and what is expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bench.errors import DataError

if TYPE_CHECKING:
    from bench.interfaces import ClassProbabilities, Features, JoinProbabilities, Labels


LARGEST = 1e18
"""Features beyond this size are refused: sums of their squares, as in any distance, overflow float32."""


def as_join_probabilities(p: ArrayLike, n: int, who: str) -> JoinProbabilities:
    """Return `(n, n)` float32: symmetric, in 0 to 1, with diagonal 1."""
    p = np.asarray(p)
    if p.shape != (n, n):
        raise DataError(f"{who} returned shape {p.shape} for {n} images; expected ({n}, {n})")
    if not np.isfinite(p).all() or p.min() < 0 or p.max() > 1:
        raise DataError(f"{who} returned values that are not probabilities (NaN, below 0 or above 1)")
    if not np.allclose(p, p.T, atol=1e-6) or not np.allclose(np.diag(p), 1):
        raise DataError(f"{who} returned a matrix that is not symmetric with diagonal 1")
    return p.astype(np.float32)


def as_class_probabilities(p: ArrayLike, n: int, classes: int, who: str) -> ClassProbabilities:
    """Return `(n, classes)` float32 whose rows sum to 1."""
    p = np.asarray(p)
    if p.shape != (n, classes):
        raise DataError(f"{who} returned shape {p.shape} for {n} images; expected ({n}, {classes})")
    if not np.isfinite(p).all() or p.min() < 0 or not np.allclose(p.sum(axis=1), 1, atol=1e-4):
        raise DataError(
            f"{who} returned values that are not probabilities (NaN, below 0, or sums other than 1)"
        )
    return p.astype(np.float32)


def as_features(features: ArrayLike, n: int, who: str) -> Features:
    """Return `(n, d)` float32, finite and at most `LARGEST` in size."""
    features = np.asarray(features)
    if features.ndim != 2 or len(features) != n or features.shape[1] == 0:
        raise DataError(f"{who} returned shape {features.shape} for {n} images; expected ({n}, d)")
    if not np.issubdtype(features.dtype, np.floating):
        raise DataError(f"{who} returned {features.dtype} features; expected float32")
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        where = ", ".join(map(str, np.flatnonzero(bad)[:5]))
        raise DataError(
            f"{who} returned NaN or infinite features for {bad.sum()} of {n} images, e.g. {where}"
        )
    huge = (np.abs(features) > LARGEST).any(axis=1)
    if huge.any():
        where = ", ".join(map(str, np.flatnonzero(huge)[:5]))
        raise DataError(
            f"{who} returned features beyond {LARGEST:g}, whose squares overflow float32, for {huge.sum()} "
            f"of {n} images, e.g. {where}; scale them"
        )
    return np.ascontiguousarray(features, dtype=np.float32)


def are_constant(features: Features) -> bool:
    """Say whether two images or more all have the same features, up to the rounding of float32."""
    if len(features) < 2:
        return False
    scale = np.abs(features).max(axis=0)
    return bool((np.ptp(features, axis=0) <= 4 * np.finfo(np.float32).eps * scale).all())


def as_labels(labels: ArrayLike, n: int, who: str) -> Labels:
    """Return `(n,)` int64; -1 is noise."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise DataError(f"{who} returned shape {labels.shape} for {n} images; expected ({n},)")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{who} returned {labels.dtype} labels; expected integers")
    if n and labels.min() < -1:
        raise DataError(f"{who} returned the label {labels.min()}; only -1 (noise) may be negative")
    return labels.astype(np.int64)
