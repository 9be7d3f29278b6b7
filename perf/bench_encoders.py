"""Encoding by a vision transformer, beside the plain loop over a timm model in float32; and training."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.adapters.registry import load
from bench.images import Prepared
from bench.interfaces import Run

N, SIDE = 256, 64


def images(n: int = N) -> Prepared:
    """Noise: what a network takes does not depend on what it sees."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, 1, SIDE, SIDE), dtype=np.uint8)
    return Prepared(pixels, np.arange(n), [str(i) for i in range(n)])


def run_on_cpu(precision: str, folder: str = "none") -> Run:
    """Return a run with one thread."""
    return Run(0, 1, "cpu", precision, logging.getLogger(), Path(folder), lambda *_: None)


class EncodeViT:
    """ViT-S/16 at 64 px, 256 images, one thread."""

    params = ("plain timm loop", "float32", "bfloat16")
    param_names = ("how",)
    timeout = 120

    def setup(self, how: str) -> None:
        """Make model and images."""
        import timm
        import torch

        torch.set_num_threads(1)
        self.images = images()
        make: Any = load("encoder", "timm")
        self.encoder = make(model="vit_small_patch16_224", weights="random")
        if how == "plain timm loop":
            self.model = timm.create_model("vit_small_patch16_224", num_classes=0, img_size=SIDE).eval()
        self.time_encode(how)

    def time_encode(self, how: str) -> Any:
        """Features of all images, the model's construction included in ours."""
        import torch

        if how != "plain timm loop":
            return self.encoder.encode(self.images, None, run_on_cpu(how))
        found = []
        with torch.inference_mode():
            for pixels in self.images.batches(32):
                x = torch.from_numpy(pixels).float() / 255
                found.append(self.model((x.repeat(1, 3, 1, 1) - 0.5) / 0.5))
        return torch.cat(found).numpy()


class TrainDino:
    """Steps of DINO with a small transformer, one thread."""

    timeout = 120

    def time_ten_steps(self) -> None:
        """Ten steps of 16 images, two large and four small crops."""
        small: dict[str, Any] = {
            "width": 96,
            "depth": 4,
            "heads": 3,
            "patch": 8,
            "outputs": 256,
            "hidden": 256,
        }
        make: Any = load("encoder", "dino")
        encoder = make(arch="vit_tiny_patch16_224", steps=10, batch=16, small_crops=4, bottleneck=64, **small)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "c").mkdir()
            encoder.fit(images(), Path(folder), run_on_cpu("float32", f"{folder}/c"))
