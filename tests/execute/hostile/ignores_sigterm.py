"""Ignores SIGTERM and sleeps."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Ignores SIGTERM and sleeps."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        return np.zeros((len(images), 2), np.float32)
