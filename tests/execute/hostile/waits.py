"""Writes a line to a file, has a child, ignores SIGTERM, and waits."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Waits(Encoder):
    """Writes a line to a file, has a child, ignores SIGTERM, and waits."""

    diary: str
    """File that gets a line for every time this runs."""
    seconds: float = 600
    """How long to wait."""
    stubborn: bool = True
    """Whether to ignore SIGTERM and have a child."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        if self.stubborn:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            subprocess.Popen(["sleep", "600"])
        with Path(self.diary).open("a") as f:
            f.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
