"""The one training loop of all methods: steps, checkpoints, progress, on a CPU, one GPU or many.

Everything random in a step is drawn from (seed, step, part, rank) alone. So a
training that was killed and resumed from a checkpoint ends, on one machine,
bit-identical to one that was not.
"""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.errors import DataError
from bench.interfaces import Json
from bench.nn.checkpoints import Checkpoints

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from bench.interfaces import Run

_READ_EVERY = 10
"""Steps between reading the losses, which waits for the device. Checkpoints are written only then."""
_POINTS = 200
"""Points of a curve in a record."""


class Draw(NamedTuple):
    """The current position of a training, and the only sources of randomness there."""

    step: int
    part: int
    """Which of the `accumulate` micro-batches of the step."""
    rank: int
    world: int
    """Number of processes; `rank` is this one's."""
    rng: np.random.Generator
    generator: torch.Generator
    """On the device of the training."""


class Task(nn.Module):
    """What a method trains: networks, loss and schedules.

    What must survive a restart is a parameter or a buffer (averaged copies, centres, pseudo-labels);
    the rest follows from the step.
    """

    @abstractmethod
    def batch(self, draw: Draw) -> Any:
        """Return the input of one micro-batch of a step, on the device, augmented."""

    @abstractmethod
    def forward(self, batch: Any, draw: Draw) -> Tensor:
        """Return the loss, a scalar."""

    @abstractmethod
    def optimizer(self) -> torch.optim.Optimizer:
        """Make the optimizer; called once."""

    def before_step(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        """Set what is scheduled: learning rates, weight decay..."""

    def before_update(self, step: int) -> None:
        """Change gradients before they are used, e.g. drop those of frozen parts."""

    def after_step(self, step: int) -> None:
        """Update what depends on the new weights: averaged copies, centres..."""

    def watch(self) -> dict[str, float]:
        """Return numbers for the curve beside the loss; called every few steps."""
        return {}


@dataclass(frozen=True)
class Steps:
    """How long a task is trained, and in which micro-batches."""

    steps: int
    images: int
    """Images per step, over all micro-batches and processes: for the throughput."""
    accumulate: int = 1
    """Micro-batches of a step whose gradients are added up (gradient accumulation)."""
    clip: float | None = None
    """Largest norm of all gradients together."""
    checkpoint_s: float = 60.0
    """Seconds between checkpoints."""


@dataclass
class Curve:
    """The loss of every step, and what the task watched."""

    losses: list[float] = field(default_factory=list)
    watched: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def to_json(self, points: int = _POINTS) -> Json:
        """Return at most `points` means of consecutive losses, each at its last step, and watched values."""
        n = len(self.losses)
        ends = np.unique(np.linspace(0, n, min(points, n) + 1).round().astype(int))[1:] if n else np.array([])
        starts = [0, *ends[:-1]]
        means = [float(np.mean(self.losses[a:b])) for a, b in zip(starts, ends, strict=True)]
        every = max(1, -(-len(self.watched) // points))
        thinned = self.watched[::-1][::every][::-1]  # including the last one
        watched: dict[str, Json] = {
            name: [[step, round(values[name], 6)] for step, values in thinned]
            for name in (thinned[-1][1] if thinned else {})
        }
        return {"loss": [[int(e), round(m, 6)] for e, m in zip(ends, means, strict=True)], **watched}


def train(task: Task, plan: Steps, run: Run) -> Curve:
    """Train a task in place, from the last checkpoint if there is one; leave it on `run.device`.

    Under torchrun the processes share each step's images (`Draw.rank`, `Draw.world`), average their
    gradients, and all end with equal weights; the first one writes checkpoints.

    Returns the curve; `run.facts` gets `curve` and `speed`.

    Raises
    ------
    DataError : the loss is not finite, with the step and what usually helps; a batch that does not divide
        among the processes.
    """
    with _settings(run):
        fabric = _fabric(run)
        _check_division(plan, fabric.world_size)
        task.to(fabric.device)
        optimizer = task.optimizer()
        wrapped, optimizer = fabric.setup(task, optimizer)
        curve = Curve()
        saved = Checkpoints(run.checkpoints, run.log)
        first = _restore(saved.load(), task, optimizer, curve)
        _Loop(fabric, task, wrapped, optimizer, plan, run, curve, saved).go(first)
        fabric.barrier()  # all processes see what the first one wrote
    run.facts["curve"] = curve.to_json()
    return curve


class Epochs:
    """Every image once per epoch, in an order that follows from the seed and the epoch."""

    def __init__(self, n: int, batch: int, seed: int) -> None:
        """Raise `DataError` if a batch does not fit the set."""
        if batch > n:
            raise DataError(f"batch: {batch} images per batch, but only {n} to train on; lower it")
        self._n, self._batch, self._seed = n, batch, seed
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    @property
    def per_epoch(self) -> int:
        """Batches per epoch; images that do not fill one are left out, different ones in each epoch."""
        return self._n // self._batch

    def batch(self, i: int) -> NDArray[np.int64]:
        """Return the positions of the images of the i-th batch since the start, shape (batch,)."""
        epoch, index = divmod(i, self.per_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng([self._seed, epoch]).permutation(self._n))
        return self._order[1][index * self._batch : (index + 1) * self._batch]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch inside the block, and restore its random state afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@dataclass
class _Loop:
    fabric: Fabric
    task: Task
    wrapped: Any
    optimizer: Any
    plan: Steps
    run: Run
    curve: Curve
    saved: Checkpoints

    def go(self, first: int) -> None:
        started, last_saved = time.monotonic(), time.monotonic()
        pending: list[Tensor] = []
        for step in range(first, self.plan.steps):
            pending.append(self._step(step))
            done = step + 1
            if done % _READ_EVERY == 0 or done == self.plan.steps:
                self._read_losses(pending, done)
                pending = []
                rate = (done - first) * self.plan.images / max(1e-9, time.monotonic() - started)
                text = f"steps; loss {self.curve.losses[-1]:.4g}, {rate:.3g} images/s"
                self.run.report(done, self.plan.steps, text)
                self.run.facts["speed"] = {"images_per_s": round(rate, 2)}
                late = time.monotonic() - last_saved >= min(self.plan.checkpoint_s, self.run.checkpoint_s)
                if self.fabric.broadcast(late) and done < self.plan.steps:  # all save, or none
                    self._save(done)
                    last_saved = time.monotonic()

    def _step(self, step: int) -> Tensor:
        parts = self.plan.accumulate
        self.task.before_step(step, self.optimizer)
        total = torch.zeros((), device=self.fabric.device)
        self.task.train()
        for part in range(parts):
            draw = self._draw(step, part)
            more = part < parts - 1
            with self.fabric.no_backward_sync(self.wrapped, enabled=more) if more else nullcontext():
                loss = self.wrapped(self.task.batch(draw), draw) / parts
                self.fabric.backward(loss)
            total += loss.detach()
        self.task.before_update(step)
        if self.plan.clip is not None:
            self.fabric.clip_gradients(self.wrapped, self.optimizer, max_norm=self.plan.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.task.after_step(step)
        return total

    def _draw(self, step: int, part: int) -> Draw:
        rank, world = self.fabric.global_rank, self.fabric.world_size
        rng = np.random.default_rng([self.run.seed, step, part, rank])
        torch.manual_seed(int(rng.integers(2**62)))  # for dropout and the like
        generator = torch.Generator(self.fabric.device).manual_seed(int(rng.integers(2**62)))
        return Draw(step, part, rank, world, rng, generator)

    def _read_losses(self, pending: list[Tensor], done: int) -> None:
        losses = self.fabric.all_reduce(torch.stack(pending), reduce_op="mean")
        values = [float(x) for x in torch.as_tensor(losses).cpu()]
        for i, loss in enumerate(values):
            if not np.isfinite(loss):
                step = done - len(values) + i + 1
                raise DataError(
                    f"training: the loss is {loss} at step {step} of {self.plan.steps}; a lower learning "
                    "rate, a longer warm-up or precision: float32 usually helps"
                )
        self.curve.losses += values
        watched = self.task.watch()
        if watched:
            self.curve.watched.append((done, watched))

    def _save(self, done: int) -> None:
        if self.fabric.global_rank == 0:
            state = {
                "task": self.task.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "losses": torch.tensor(self.curve.losses, dtype=torch.float64),
                "watched": [[step, values] for step, values in self.curve.watched],
            }
            self.saved.save(done, state)
        self.fabric.barrier()


def _restore(found: tuple[int, dict[str, Any]] | None, task: Task, optimizer: Any, curve: Curve) -> int:
    if found is None:
        return 0
    step, state = found
    task.load_state_dict(state["task"])
    optimizer.load_state_dict(state["optimizer"])
    curve.losses = state["losses"].tolist()
    curve.watched = [(int(step), dict(values)) for step, values in state["watched"]]
    return step


def _check_division(plan: Steps, processes: int) -> None:
    if plan.images % (processes * plan.accumulate):
        parts = f" in {plan.accumulate} parts each" if plan.accumulate > 1 else ""
        raise DataError(f"batch: {plan.images} images do not divide among {processes} processes{parts}")


def _fabric(run: Run) -> Fabric:
    from lightning_fabric import Fabric

    kind, _, index = run.device.partition(":")
    processes = int(os.environ.get("WORLD_SIZE", "1"))  # set by torchrun and SLURM launchers
    fabric = Fabric(
        accelerator="cpu" if kind == "cpu" else kind,
        devices=[int(index)] if index and processes == 1 else int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        num_nodes=processes // int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        strategy="ddp" if processes > 1 else "auto",
        precision="bf16-mixed" if run.precision == "bfloat16" else "32-true",
    )
    fabric.launch()
    return fabric


@contextmanager
def _settings(run: Run) -> Iterator[None]:
    """Set threads and determinism, and isolate the random state, for the duration of a training."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(run.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.set_num_threads(threads)
