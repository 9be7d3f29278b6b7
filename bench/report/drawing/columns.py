"""Which columns of an image set figures use, and the groups that their values form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.stages.finished import FinishedCell
from bench.util.text import suggest

_USUAL = ("day", "bag", "plate", "experiment", "batch")
_MOST_VALUES = 100


@dataclass(frozen=True)
class ImageColumn:
    """One value per image."""

    name: str
    groups: list[str]
    """The distinct values in their natural order: day 2 before day 10."""
    codes: NDArray[np.int64]
    """Position in `groups` per image; -1 where there is no value."""
    ordered: bool
    """Whether the values are numbers that say what comes first, like days; not numbered things, like bags."""


def column(cell: FinishedCell, name: str) -> ImageColumn:
    """Return a column of the table. Raises `DataError` for one that is not there or that has no values."""
    table = cell.table
    if name not in table:
        raise DataError(f"--by: no column {name!r}; {suggest(name, [str(c) for c in table.columns])}")
    values = table[name]
    texts = [None if pd.isna(v) else str(v) for v in values]
    groups = sorted({t for t in texts if t is not None}, key=_natural)
    if not groups:
        raise DataError(f"--by: column {name!r} has no values")
    position = {g: i for i, g in enumerate(groups)}
    codes = np.array([-1 if t is None else position[t] for t in texts], np.int64)
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return ImageColumn(name, groups, codes, bool(numeric))


def labels(cell: FinishedCell) -> ImageColumn | None:
    """Return the true classes as a column; None if no image has one."""
    if not (cell.truth >= 0).any():
        return None
    return ImageColumn("label", cell.classes, cell.truth, ordered=False)


def clusters(cell: FinishedCell) -> ImageColumn:
    """Return the clusters, or the predicted classes, as a column, the largest first; noise is -1."""
    ids, counts = np.unique(cell.clusters[cell.clusters >= 0], return_counts=True)
    by_size = ids[np.argsort(-counts, kind="stable")]
    position = {int(c): i for i, c in enumerate(by_size)}
    codes = np.array([position.get(int(c), -1) for c in cell.clusters], np.int64)
    if cell.predicted:
        return ImageColumn("predicted", [cell.classes[c] for c in by_size], codes, ordered=False)
    return ImageColumn("cluster", [str(c) for c in by_size], codes, ordered=False)


def grouping(cell: FinishedCell, most: int = 2) -> list[ImageColumn]:
    """Return the columns worth showing unasked: those the suite names as groups, else the usual ones."""
    declared: Sequence[str] = cell.record.params.get("metrics", {}).get("groups", ())
    names = [n for n in (declared or _USUAL) if n in cell.table]
    found = [column(cell, n) for n in names if cell.table[n].notna().any()]
    return [c for c in found if 1 < len(c.groups) <= _MOST_VALUES][:most]


def _natural(text: str) -> tuple[Any, ...]:
    try:
        return (0, float(text), ())
    except ValueError:
        parts = re.findall(r"\d+|\D+", text)
        return (1, 0.0, tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts))
