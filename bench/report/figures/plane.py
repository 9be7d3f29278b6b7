"""Images as points in the plane."""

from __future__ import annotations

import functools
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.adapters import registry
from bench.interfaces import Reducer, Run
from bench.records.record import CellRecord
from bench.stages.cell import Cell

_MOST = 20_000


@dataclass(frozen=True)
class Plane:
    """Points of some of the images."""

    points: NDArray[np.float32]
    """Shape (m, 2)."""
    rows: NDArray[np.int64]
    """Which image each point is."""
    axes: str
    said: str
    """How the points were found."""


def unfit(record: CellRecord) -> str | None:
    """Say why a cell's images cannot be points."""
    if any(s.stage in ("encode", "pair") for s in record.stages):
        return None
    return "has neither features nor join probabilities"


@functools.lru_cache(maxsize=4)
def plane(cell: Cell) -> Plane:
    """Return the method's own two features if its reducer makes two, else those of UMAP with seed 0.

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
    reducer = registry.load("reducer", "umap")()
    assert isinstance(reducer, Reducer)
    run = Run(0, 1, "cpu", "float32", logging.getLogger("bench"), Path(), lambda *_: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a graph in several pieces: to be seen in the figure anyway
        points = reducer.reduce(np.ascontiguousarray(data[rows], np.float32), run)
    said = f"Plane: UMAP of the {what} ({run.facts['n_neighbors']} neighbours, seed 0).{some}"
    return Plane(points, rows, "UMAP", said)
