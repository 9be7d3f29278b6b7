"""Writes into every pipe that it finds open."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


NONSENSE = (
    b"\n\xff\xfe\x00\n[]\n7\nnull\n{}\n",
    b'{"done": 1}\n{"done": "x", "total": {}, "text": 3}\n{"outcome": 5}\n{"outcome": {"status": "fine"}}\n',
    b"[" * 30_000 + b"\n",
    b"no end of line",
)


class Hostile(Encoder):
    """Writes into every pipe that it finds open."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        for number in range(3, 256):
            with contextlib.suppress(OSError):
                if stat.S_ISFIFO(os.fstat(number).st_mode):
                    for nonsense in NONSENSE:
                        os.write(number, nonsense)
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
