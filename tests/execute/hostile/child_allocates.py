"""Has a child that takes memory until someone stops it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Has a child that takes memory until someone stops it."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        code = 'x = []\nwhile True: x.append(bytearray(b"1" * (32 << 20)))'
        subprocess.run([sys.executable, "-c", code], check=False)
        time.sleep(600)
        return np.zeros((len(images), 2), np.float32)
