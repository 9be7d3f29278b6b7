"""Takes memory until someone stops it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Takes memory until someone stops it."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        kept = []
        while True:
            kept.append(np.ones(8 << 20))  # 64 MiB
