"""A training without chance: several processes must end with the weights of one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from bench.errors import DataError
from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Regression(Encoder):
    """Learns the mean brightness of images linearly; process 1 may fail on the way."""

    libraries: ClassVar[tuple[str, ...]] = ("torch",)
    parallel: ClassVar[bool] = True
    batch: int = 8
    fault: Literal["none", "data", "bug", "killed", "hangs"] = "none"

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        """Train, and write the weights and who wrote them."""
        import torch
        from torch import Tensor, nn

        from bench.nn.inputs import take
        from bench.nn.training import Draw, Epochs, Steps, Task, train
        from bench.nn.weights import write_tensors

        fault = self.fault

        class Linear(Task):
            def __init__(self, epochs: Epochs) -> None:
                super().__init__()
                self.epochs = epochs
                self.net = nn.Linear(images.shape[1] * images.shape[2], 1)
                nn.init.zeros_(self.net.weight)
                nn.init.zeros_(self.net.bias)

            def batch(self, draw: Draw) -> Tensor:
                if draw.rank == 1 and draw.step == 3:
                    _fail(fault)
                rows = self.epochs.batch(draw.step).reshape(draw.world, -1)[draw.rank]
                return torch.from_numpy(take(images, rows)).float().mean(1).flatten(1) / 255

            def forward(self, batch: Tensor, draw: Draw) -> Tensor:
                return nn.functional.mse_loss(self.net(batch)[:, 0], batch.mean(1))

            def optimizer(self) -> torch.optim.Optimizer:
                return torch.optim.Adam(self.parameters(), lr=0.01)

        task = Linear(Epochs(len(images), self.batch, 0))
        train(task, Steps(30, self.batch), run)
        run.facts["processes"] = int(os.environ.get("WORLD_SIZE", "1"))
        run.facts["rank"] = int(os.environ.get("RANK", "0"))
        write_tensors(weights / "net.safetensors", task)

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Return the weights of the network, the same for every image, beside its brightness."""
        from bench.nn.weights import read_tensors

        assert weights is not None
        net = read_tensors(weights / "net.safetensors", "weights")["net.weight"].numpy()
        bright = images.batch(0, len(images)).mean(axis=(1, 2, 3))
        return np.concatenate([bright[:, None], net.repeat(len(images), 0)], axis=1).astype(np.float32)


def _fail(fault: str) -> None:
    if fault == "data":
        raise DataError("the second half of the images is missing; look for it")
    if fault == "bug":
        raise KeyError("no such thing")
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "hangs":
        time.sleep(600)
