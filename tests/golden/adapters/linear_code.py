"""A user's encoder, as written for version 0.1: a linear autoencoder, by the training loop of `bench.nn`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bench.durable import write_whole

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class LinearCode(Encoder):
    """Codes of a linear layer that learned to reconstruct the pixels."""

    seeded: ClassVar[bool] = True
    steps: int = 20
    width: int = 4

    def fit(self, images: Prepared, weights: Path, run: Run) -> None:
        from bench.nn.training import Steps, train
        from bench.nn.weights import write_tensors
        from bench.parallel import in_order

        task = self._task(images, run)
        train(task, Steps(self.steps, 8), run)
        write_tensors(weights / "linear.safetensors", task.code)
        words = in_order(str.encode, ["written by an adapter ", "of version 0.1"])
        write_whole(weights / "note.txt", b"".join(words))

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        from bench.nn.inputs import encode
        from bench.nn.weights import load_strictly, read_tensors

        assert weights is not None
        task = self._task(images, run)
        load_strictly(task.code, read_tensors(weights / "linear.safetensors", "weights"), "weights")
        return encode(images, run, lambda x: task.code(x.flatten(1)))

    def _task(self, images: Prepared, run: Run) -> Any:
        import torch
        from torch import Tensor, nn

        from bench.nn.inputs import take, tensor
        from bench.nn.training import Draw, Epochs, Task

        length, width = int(images.pixels[0].size), self.width
        epochs = Epochs(len(images), 8, run.seed)

        class Reconstruct(Task):
            def __init__(self) -> None:
                super().__init__()
                self.code = nn.Linear(length, width)
                self.back = nn.Linear(width, length)

            def batch(self, draw: Draw) -> Tensor:
                return tensor(take(images, epochs.batch(draw.step)), draw.generator.device).flatten(1)

            def forward(self, batch: Tensor, draw: Draw) -> Tensor:
                return (self.back(self.code(batch)) - batch).square().mean()

            def optimizer(self) -> torch.optim.Optimizer:
                return torch.optim.SGD(self.parameters(), lr=0.01)

        with torch.random.fork_rng():
            torch.manual_seed(run.seed)
            return Reconstruct()
