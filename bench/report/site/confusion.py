"""The table of classes and clusters, each cluster beside the class that it is matched to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.metrics.contingency import contingency
from bench.metrics.matching import match
from bench.report.site.html import scrolling
from bench.util.html import Html, join, tag

if TYPE_CHECKING:
    from bench.interfaces import Labels

_MOST = 30
"""Classes and clusters shown on their own."""
_SHADES = 10


@dataclass(frozen=True)
class Confusion:
    """Counts of images by class and cluster; what is not shown on its own is in the last row and column."""

    counts: NDArray[np.int64]
    """Shape (classes, clusters), without images whose class is unknown."""
    classes: list[str]
    clusters: list[str]
    matched: list[bool]
    """Per column: whether the class on the diagonal is matched to it."""
    predicted: bool
    """Whether the columns are classes that a classifier predicts, each matched to itself."""


def confusion(
    truth: Labels, clusters: Labels, classes: Sequence[str], *, predicted: bool = False
) -> Confusion | None:
    """Count images: the largest classes first, their own clusters (Hungarian algorithm) on the diagonal.

    Where clusters are `predicted` classes, each class has its own name on the diagonal.
    An image of noise counts as a cluster of its own in the matching, and all of them as one column.
    None if no image has a class.
    """
    known = truth >= 0
    if not known.any():
        return None
    t, c = truth[known], clusters[known]
    ids, sizes = np.unique(t, return_counts=True)
    order = ids[np.argsort(-sizes, kind="stable")]
    own = {int(x): int(x) for x in ids} if predicted else _matching(t, c)
    columns = [own[x] for x in order[:_MOST] if x in own]
    free = [int(x) for x in _by_size(c[c >= 0]) if x not in columns]
    rows = [int(x) for x in order[:_MOST]]
    rows.sort(key=lambda x: x not in own)  # stable: those with a cluster first, so that it is on the diagonal
    matched = len(columns)
    columns += free[: _MOST - matched]
    row_of = np.array([rows.index(x) if x in rows else len(rows) for x in ids])[np.searchsorted(ids, t)]
    index_of = {x: i for i, x in enumerate(columns)}
    last = len(columns)
    column_of = np.array([last + 1 if x < 0 else index_of.get(int(x), last) for x in c])
    table = np.zeros((len(rows) + 1, last + 2), np.int64)
    np.add.at(table, (row_of, column_of), 1)
    names = [*(classes[x] for x in rows), f"{len(order) - len(rows)} other classes"]
    of_columns = [classes[x] if predicted else str(x) for x in columns]
    heads = [*of_columns, f"{len(free) - (last - matched)} others", "noise"]
    keep_rows = [*range(len(rows)), *([len(rows)] if len(order) > len(rows) else [])]
    keep = [*range(last), *(j for j in (last, last + 1) if table[:, j].any())]
    flags = [j < matched for j in keep]
    return Confusion(
        table[np.ix_(keep_rows, keep)],
        [names[i] for i in keep_rows],
        [heads[j] for j in keep],
        flags,
        predicted,
    )


def markup(found: Confusion) -> Html:
    """Return the table. A cell is the darker, the larger its share of the class."""
    totals = found.counts.sum(axis=1)
    heads = [
        tag("th", name, scope="col", class_="own" if own else None)
        for name, own in zip(found.clusters, found.matched, strict=True)
    ]
    what = "prediction" if found.predicted else "cluster"
    head = tag("tr", tag("th", f"class \\ {what}", scope="col"), heads, tag("th", "images", scope="col"))
    body = []
    for i, name in enumerate(found.classes):
        cells = []
        for j, count in enumerate(found.counts[i]):
            shade = f"h{round(_SHADES * int(count) / max(1, int(totals[i])))}"
            own = i == j and found.matched[j]
            cells.append(tag("td", f"{count:,}" if count else "·", class_=f"{shade} own" if own else shade))
        body.append(tag("tr", tag("th", name, scope="row"), cells, tag("td", f"{totals[i]:,}", class_="sum")))
    sums = [tag("td", f"{x:,}") for x in found.counts.sum(axis=0)]
    foot = tag("tr", tag("th", "images", scope="row"), sums, tag("td", f"{totals.sum():,}", class_="sum"))
    framed = "right" if found.predicted else "the cluster matched to the class"
    caption = f"Images by class and {what}; framed: {framed}."
    inner = [tag("caption", caption), tag("thead", head), tag("tbody", join(body)), tag("tfoot", foot)]
    return scrolling(tag("table", inner, class_="confusion"), "Confusion matrix")


def _matching(truth: Labels, clusters: Labels) -> dict[int, int]:
    """Return the cluster matched to each class; classes without one, or matched to noise, are left out."""
    found = contingency(truth, clusters, clusters < 0)
    classes = np.unique(truth)
    ids = np.unique(clusters[clusters >= 0])  # columns in this order; noise is behind them
    cells = match(found)[0]
    pairs = ((int(classes[r]), int(found.cols[cell])) for r, cell in enumerate(cells) if cell >= 0)
    return {name: int(ids[column]) for name, column in pairs if column < len(ids)}


def _by_size(clusters: Labels) -> NDArray[np.int64]:
    ids, sizes = np.unique(clusters, return_counts=True)
    return ids[np.argsort(-sizes, kind="stable")]
