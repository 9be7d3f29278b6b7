"""Reports progress that is none, and numbers that are not plain ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Reports progress that is none, and numbers that are not plain ones."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        odd: list[Any] = [
            None,
            "40",
            "forty",
            -1,
            3.5,
            float("nan"),
            np.int64(7),
            [],
            b"1",
            10**400,
            object(),
            "\ud800",
        ]
        for one in odd:
            for done, total, text in ((1, one, "epoch"), (one, one, "epoch"), (1, 1, one)):
                run.report(done, total, text)
                time.sleep(0.11)  # else it is left out, as too soon after the one before
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
