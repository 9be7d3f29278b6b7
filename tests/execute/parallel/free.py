"""Says when and where it works, and uses no GPU."""

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


class Free(Encoder):
    """Writes `number first last device gpus` into its diary."""

    number: int
    diary: str
    """Folder that gets a file."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Work for a while."""
        first = time.monotonic()
        time.sleep(0.5)
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
        text = f"{self.number} {first} {time.monotonic()} {run.device} {gpus}"
        (Path(self.diary) / f"{self.number}.txt").write_text(text)
        return np.ones((len(images), 2), np.float32)
