"""Images as points in the plane."""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.adapters import registry
from bench.interfaces import Reducer, Run
from bench.records.record import CellRecord
from bench.stages.finished import FinishedCell

if TYPE_CHECKING:
    from bench.interfaces import Features

_MOST = 20_000


@dataclass(frozen=True)
class Plane:
    """Points of some of the images."""

    points: NDArray[np.float32]
    """Shape (m, 2)."""
    rows: NDArray[np.int64]
    """Which image each point is."""
    axes: str
    caption: str
    """Says how the points were computed."""


def without_features(record: CellRecord) -> str | None:
    """Say why a cell's images cannot be points; None if they can."""
    if any(s.stage in ("encode", "pair") for s in record.stages):
        return None
    return "has neither features nor join probabilities"


@functools.lru_cache(maxsize=4)
def plane(cell: FinishedCell) -> Plane:
    """Return the method's own two features if its reducer makes two, else those of the reducer for maps.

    Of a pair model the rows of the matrix of join probabilities are the features. At most 20,000 images
    are shown, drawn by chance with a fixed seed. Raises `DataError` for fewer than 4 images.
    """
    n = len(cell.clusters)
    rows = np.arange(n, dtype=np.int64)
    if n > _MOST:
        rows = np.sort(np.random.default_rng(0).choice(n, _MOST, replace=False)).astype(np.int64)
    some = f" {_MOST:,} of {n:,} images." if n > _MOST else ""
    if cell.reduced is not None and cell.reduced.shape[1] == 2:
        own = cell.stages("reduce")[-1].adapter.partition("@")[0]
        return Plane(cell.reduced[rows], rows, own, f"Plane: the method's own reduction ({own}).{some}")
    what = "features"
    data = cell.features
    if data is None:
        what = "rows of join probabilities"
        data = cell.join_probabilities
    assert data is not None
    reducer = reducer_for_maps()
    points = reduced(reducer, np.ascontiguousarray(data[rows], np.float32))
    params = ", ".join(f"{name} {value}" for name, value in reducer.model_dump().items())
    name = type(reducer).__name__
    return Plane(points, rows, name, f"Plane: {name} of the {what} ({params}, seed 0).{some}")


def reducer_for_maps() -> Reducer:
    """Return the reducer that says it is for maps, with its defaults."""
    return next(cls() for cls in registry.built_in("reducer") if issubclass(cls, Reducer) and cls.for_maps)


def reduced(reducer: Reducer, features: Features) -> Features:
    """Apply a reducer with seed 0. Raises `DataError` where it cannot place the images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a graph in several pieces: visible in the map anyway
        return reducer.reduce(features, Run.detached())
