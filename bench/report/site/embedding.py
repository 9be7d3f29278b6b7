"""Images as points of the map: where each lies, and what it is coloured by."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.interfaces import Json
from bench.report.drawing.columns import ImageColumn
from bench.report.drawing.plane import reduced, reducer_for_maps
from bench.stages.finished import FinishedCell

if TYPE_CHECKING:
    from bench.interfaces import Features

_PRINCIPAL = "pca"
"""The projection that the page has itself."""
COLOURS, SHAPES, STEPS = 7, 3, 8
"""Of groups, of groups beyond the seventh, and of the scale of ordered columns; as in the styles."""
_MOST_GROUPS = COLOURS * SHAPES - 1
_SPAN = 65_535
_WIDTH, _ITERATIONS = 12, 12
"""Dimensions and iterations of the subspace iteration that finds the two axes."""


@dataclass(frozen=True)
class MapSource:
    """Where the points of a map come from; equal sources give equal points."""

    key: str
    """Of the stage whose artefact is drawn."""
    what: str
    """`features`, `join probabilities`, or `own`: two features that the method's own reducer made."""
    caption: str
    """Says how the points were computed."""


def projections() -> list[str]:
    """Return the names of the ways to make a plane of features: the page's own, and the reducer for maps."""
    return [_PRINCIPAL, reducer_for_maps().use]


def source(cell: FinishedCell, projection: str) -> MapSource | None:
    """Return what a map of this cell would show, from its record alone; None without features and pairs."""
    reduced, encoded, paired = (cell.stages(k) for k in ("reduce", "encode", "pair"))
    if reduced and _dims(cell) == 2:
        name = reduced[-1].adapter.partition("@")[0]
        return MapSource(reduced[-1].key, "own", f"the method's own reduction to two dimensions ({name})")
    how = "first two principal components"
    if projection != _PRINCIPAL:
        how = f"{type(reducer_for_maps()).__name__} with seed 0"
    if encoded:
        return MapSource(encoded[-1].key, "features", f"{how} of the features")
    if paired:
        return MapSource(paired[-1].key, "join probabilities", f"{how} of the rows of join probabilities")
    return None


def points(cell: FinishedCell, of: MapSource, rows: NDArray[np.int64], projection: str) -> NDArray[np.uint16]:
    """Return positions in the plane, shape (len(rows), 2), each axis spread over 0 to 65,535.

    Raises `DataError` where a reducer cannot place the images.
    """
    if of.what == "own":
        found = cell.reduced
    else:
        found = cell.features if of.what == "features" else cell.join_probabilities
    assert found is not None
    some = np.ascontiguousarray(found[rows], np.float32)
    plane = some if of.what == "own" else _projected(some, projection)
    low, high = plane.min(axis=0), plane.max(axis=0)
    spread = np.rint((plane - low) / np.where(high > low, high - low, 1) * _SPAN)
    return np.asarray(spread, np.uint16)


def principal(features: Features) -> Features:
    """Return the first two principal components, shape (n, 2), float32; 0 where there are no more.

    Subspace iteration from random projections with seed 0 (Halko, Martinsson and Tropp 2011): O(n d). Signs
    are fixed: the entry of largest magnitude of each axis is positive.
    """
    from threadpoolctl import threadpool_limits

    centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    n, d = centred.shape
    basis = np.random.default_rng(0).standard_normal((d, min(_WIDTH, n, d))).astype(np.float32)
    with threadpool_limits(1):  # sums in one order: the same bytes on machines with more cores
        for _ in range(_ITERATIONS):
            basis, _ = np.linalg.qr(centred.T @ (centred @ basis))
        _, _, axes = np.linalg.svd(centred @ basis, full_matrices=False)
        axes = (basis @ axes.T)[:, :2]
        axes *= np.where(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])] < 0, -1, 1)
        flat = np.zeros((n, 2), np.float32)
        flat[:, : axes.shape[1]] = centred @ axes
    return flat


def described(column: ImageColumn, rows: NDArray[np.int64]) -> Json:
    """Return a column for the script: names, a code per point, and how each group is drawn.

    `looks` gives each group its position in the legend; -1 for those beyond the 20 largest, which share one.
    """
    codes = column.codes[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.groups))
    count = len(column.groups)
    legend: list[Json]
    if column.ordered and count > 2:
        steps = min(STEPS, count)
        looks = np.arange(count) * steps // count
        legend = [_range(column.groups, np.flatnonzero(looks == i)) for i in range(steps)]
    else:
        shown = np.sort(np.argsort(-counts, kind="stable")[:_MOST_GROUPS])
        looks = np.full(count, -1)
        looks[shown] = np.arange(len(shown))
        legend = [column.groups[i] for i in shown]
    return {
        "name": column.name,
        "groups": list(column.groups),
        "codes": packed(codes.astype(np.uint16)),  # -1 becomes 65,535
        "looks": looks.tolist(),
        "legend": legend,
        "ordered": bool(column.ordered and count > 2),
        "nothing": "noise" if column.name == "cluster" else "unknown",
    }


def packed(values: NDArray[np.uint16]) -> str:
    """Return numbers as base64 of 16 bits each, the low byte first."""
    return base64.b64encode(np.ascontiguousarray(values, "<u2").tobytes()).decode()


def sample(n: int, most: int) -> NDArray[np.int64]:
    """Return which of n images are on a map: all, or `most` of them, drawn with a fixed seed; sorted."""
    if n <= most:
        return np.arange(n, dtype=np.int64)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False)).astype(np.int64)


def _dims(cell: FinishedCell) -> object:
    reducer = cell.record.params.get("reducer") or {}
    return reducer.get("params", {}).get("dims")


def _projected(features: Features, projection: str) -> Features:
    return principal(features) if projection == _PRINCIPAL else reduced(reducer_for_maps(), features)


def _range(groups: list[str], positions: NDArray[np.int64]) -> str:
    first, last = groups[positions[0]], groups[positions[-1]]
    return first if first == last else f"{first} to {last}"
