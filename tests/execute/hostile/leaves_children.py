"""Leaves a child, a child in its own session, and an orphan behind."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Leaves a child, a child in its own session, and an orphan behind."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        sleep = ["sleep", "86399.25"]  # the tests look for this number
        subprocess.Popen(sleep)
        subprocess.Popen(sleep, start_new_session=True)
        subprocess.run(["sh", "-c", "setsid sleep 86399.25 &"], check=True)
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
