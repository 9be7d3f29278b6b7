"""Takes 1.5 GiB of memory that it shares with nobody yet."""

from __future__ import annotations

import mmap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Takes 1.5 GiB of memory that it shares with nobody yet."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        shared = mmap.mmap(-1, 3 << 29)
        for start in range(0, len(shared), 1 << 24):
            shared[start : start + (1 << 24)] = bytes(1 << 24)
        time.sleep(1)
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
