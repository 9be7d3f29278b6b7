"""The index of Fowlkes and Mallows: a metric of one's own, in one file."""

import numpy as np
from numpy.typing import NDArray

from cutjoin import Metric, Tables


def fowlkes_mallows(tables: Tables) -> NDArray[np.float64]:
    """Return the geometric mean of precision and recall of joins, one number per table."""
    c = tables.pairs
    predicted, true = c.join_join + c.cut_join, c.join_join + c.join_cut
    return np.where(
        (predicted == 0) | (true == 0),
        (predicted == true).astype(float),  # nothing to join: 1 if both join nothing
        c.join_join / np.sqrt(np.maximum(predicted, 1) * np.maximum(true, 1).astype(float)),
    )


FMI = Metric(
    name="fmi",
    title="FMI",
    definition="Geometric mean of precision and recall of joined pairs (Fowlkes and Mallows 1983).",
    measure=fowlkes_mallows,
)
