"""Images per second of every encoder that is trained, in training and in encoding, at one small size."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.adapters.registry import load
from bench.images import Prepared
from perf.bench_encoders import run_on_cpu

N, SIDE, BATCH, STEPS = 128, 32, 32, 12
_CONV = {"arch": "conv5", "width": 8}
_TRANSFORMER = {"arch": "vit_tiny_patch16_224", "width": 32, "depth": 2, "heads": 2, "patch": 8}
_HEAD = {"outputs": 64, "hidden": 64, "bottleneck": 32, "small_crops": 2}
ENCODERS: dict[str, dict[str, Any]] = {
    "autoencoder": {"width": 8},
    "rotation_autoencoder": {"width": 8},
    "dec": {"width": 8, "k": 5, "n_init": 1, "refine_steps": STEPS},
    "deepcluster": {**_CONV, "k": 5},
    "simclr": _CONV,
    "dino": {**_TRANSFORMER, **_HEAD},
    "patch_context": {"width": 16, "image_size": 96, "channels": "native"},
}


class Train:
    """Each encoder at 32 px, batches of 32, one thread, float32; higher is better.

    Steps and building are timed together, as users wait for both. DEC counts the images of both phases,
    patch context pairs of patches, from images enlarged to 96 px: its grid takes no smaller ones.
    """

    params = tuple(ENCODERS)
    param_names = ("encoder",)
    timeout = 300
    unit = "images/s"

    def setup(self, encoder: str) -> None:
        """Make the images; load what training loads, and train once for few steps."""
        pixels = np.random.default_rng(0).integers(0, 256, (N, 1, SIDE, SIDE), dtype=np.uint8)
        self.images = Prepared(pixels, np.arange(N), [str(i) for i in range(N)])
        self.folder = tempfile.TemporaryDirectory()
        self.fit(encoder, 2)

    def teardown(self, encoder: str) -> None:
        """Remove the weights."""
        self.folder.cleanup()

    def track_training(self, encoder: str) -> float:
        """Images that pass a training per second."""
        started = time.perf_counter()
        self.fit(encoder, STEPS)
        return BATCH * STEPS * (2 if encoder == "dec" else 1) / (time.perf_counter() - started)

    def track_encoding(self, encoder: str) -> float:
        """Images encoded per second with trained weights, the best of three."""
        adapter, weights = self.fit(encoder, 2)
        rates = []
        for _ in range(3):
            started = time.perf_counter()
            adapter.encode(self.images, weights, run_on_cpu("float32"))
            rates.append(N / (time.perf_counter() - started))
        return max(rates)

    def fit(self, encoder: str, steps: int) -> tuple[Any, Path]:
        """Train; return the adapter and the folder of its weights."""
        make: Any = load("encoder", encoder)
        adapter = make(**ENCODERS[encoder], batch=BATCH, steps=steps)
        folder = Path(tempfile.mkdtemp(dir=self.folder.name))
        (folder / "c").mkdir()
        adapter.fit(self.images, folder, run_on_cpu("float32", f"{folder}/c"))
        return adapter, folder
