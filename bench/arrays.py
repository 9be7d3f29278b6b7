"""Names for the arrays that adapters take and return, so that annotations say what is in them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Features: TypeAlias = NDArray[np.float32]
"""Shape (n, d), finite: a row per image."""
JoinProbabilities: TypeAlias = NDArray[np.float32]
"""Shape (n, n), 0 to 1, symmetric, diagonal 1: how probably two images show the same class."""
Labels: TypeAlias = NDArray[np.int64]
"""Shape (n,): cluster or class index per image. -1 is noise among clusters, unknown among true classes."""
ClassProbabilities: TypeAlias = NDArray[np.float32]
"""Shape (n, classes), each row sums to 1; columns in the order of `Prepared.classes`."""
Attention: TypeAlias = NDArray[np.float32]
"""Shape (n, heads, rows, columns) of patches, not negative."""
