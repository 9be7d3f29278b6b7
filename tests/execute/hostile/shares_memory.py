"""Leaves shared memory of several kinds behind, and says where."""

from __future__ import annotations

import os
import time
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Leaves shared memory of several kinds behind, and says where."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        for kind in range(3):
            block = shared_memory.SharedMemory(
                create=True, size=1 << 20, name=f"cutjoin-left-{os.getpid()}-{kind}"
            )
            resource_tracker.unregister(f"/{block.name}", "shared_memory")  # as who hands it on must do
        Path(f"/dev/shm/cutjoin-left-{os.getpid()}").mkdir()
        with Path(f"/dev/shm/cutjoin-left-{os.getpid()}/file").open("wb") as file:
            file.write(b"left")
            file.flush()
            time.sleep(0.5)
        return np.arange(2 * len(images), dtype=np.float32).reshape(-1, 2)
