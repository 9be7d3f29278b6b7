"""Prints a gigabyte, then does its work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Prints a gigabyte, then does its work."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        line = b"x" * (1 << 20)
        for _ in range(1024):
            os.write(1, line)
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
