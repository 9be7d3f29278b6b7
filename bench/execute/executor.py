"""What runs stages somewhere and reports how each ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.adapters.sockets import Socket, subclasses_of
from bench.stages.job import Allocation, Job, Outcome
from bench.suite.schema import Limits


@dataclass(frozen=True)
class Setup:
    """What an executor is made with."""

    store: Path
    """Root of the artefact store, absolute. Stages read their inputs there and leave their artefacts."""
    session: str
    """Name of this run in the store."""
    threads: int
    """Threads that most stages of the suite use."""
    jobs: int | None = None
    """How many stages to run at once, if the user says so."""
    device: str = "auto"
    """Where networks run: auto, cpu, cuda, cuda:1, mps."""


@dataclass(frozen=True)
class Work:
    """One stage to run, and what it needs."""

    job: Job
    """What to compute."""
    limits: Limits
    """Wall time, memory, threads and processes that it may take."""
    libraries: tuple[str, ...] = ()
    """Modules that its adapter imports; with torch among them it may use a GPU."""
    built_in: bool = False
    """Whether its code ships with this package, so that it can be imported ahead of time."""

    @property
    def wants_gpu(self) -> bool:
        """Whether the stage uses a GPU if there is one."""
        return any(name.partition(".")[0] == "torch" for name in self.libraries)


@dataclass(frozen=True)
class Ended:
    """How one stage ended."""

    key: str
    """Of the stage: `Job.key`."""
    outcome: Outcome
    """Without a status and without a missing input, whatever ran the stage was lost; it is run again."""
    seconds: float = 0.0
    """Wall time."""
    peak_bytes: int = 0
    """Host memory of all its processes."""
    log: bytes = b""
    """What it printed, or the beginning and end of that."""


@dataclass(frozen=True)
class InProgress:
    """A stage that has been started and has not ended."""

    key: str
    """Of the stage: `Job.key`."""
    seconds: float
    """Since it was started."""
    started: bool = True
    """False while its process is still being set up."""
    progress: tuple[int, int | None, str] | None = None
    """Done, total if known, and what is counted."""


class Executor(ABC):
    """Runs stages, each isolated from all others and within its limits.

    The run loop asks `has_room`, then calls `start`, and collects ends by `wait`; all from one thread. A
    stage is `bench.stages.run.execute`, which writes its artefact into the store itself. No stage may
    outlive the executor.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @property
    def full(self) -> bool:
        """Whether nothing at all can start now, to save the loop from asking for every stage."""
        return False

    @abstractmethod
    def has_room(self, work: Work) -> bool:
        """Say whether a stage can start now. Raises `DataError` if it never can, with the reason."""

    @abstractmethod
    def start(self, work: Work) -> None:
        """Start a stage for which there is room."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Ended]:
        """Wait at most this long for stages to end; return those that have."""

    @abstractmethod
    def running(self) -> Sequence[InProgress]:
        """Return the stages that have not ended, oldest first."""

    @abstractmethod
    def close(self) -> None:
        """End everything at once, and free what was held. Called once, also after errors."""


def run_stage(work: Work, setup: Setup) -> Outcome:
    """Run a stage in this process, on the CPU unless `setup` names a device; return how it ended.

    For executors that have their own way to another process or machine: limits of time and memory, the log,
    and crashes are then their business.
    """
    from bench.stages.run import execute
    from bench.util import environment

    allocation = Allocation(
        store=str(setup.store),
        session=setup.session,
        device="cpu" if setup.device == "auto" else setup.device,
        environment=environment.describe(),
    )
    return execute(work.job, allocation, lambda *_: None)


EXECUTORS: Socket[type[Executor]] = Socket(
    "executor", "bench.execute.executors", "Executor", subclasses_of(Executor)
)
