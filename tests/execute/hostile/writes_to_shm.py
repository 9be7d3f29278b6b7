"""Writes 1.5 GiB to a file in memory, and closes it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Writes 1.5 GiB to a file in memory, and closes it."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        with Path(f"/dev/shm/cutjoin-left-{os.getpid()}").open("wb") as file:
            for _ in range(96):
                file.write(bytes(1 << 24))
        time.sleep(1)
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
