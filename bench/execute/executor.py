"""Interface of executors, which run stages and report how each ended."""

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
    """Configuration of an executor."""

    store: Path
    """Root of the artefact store, absolute. Stages read their inputs there and leave their artefacts."""
    session: str
    """Name of this run in the store."""
    threads: int
    """Threads that most stages of the suite use."""
    jobs: int | None = None
    """Number of stages to run at once; None: the executor decides."""
    device: str = "auto"
    """Where networks run: auto, cpu, cuda, cuda:1, mps."""


@dataclass(frozen=True)
class Work:
    """One stage to run, and the resources it needs."""

    job: Job
    """What to compute."""
    limits: Limits
    """Wall time, memory, threads and processes that it may use."""
    libraries: tuple[str, ...] = ()
    """Modules that its adapter imports; if torch is one of them, it may use a GPU."""
    built_in: bool = False
    """Whether its code ships with this package and can be preloaded."""

    @property
    def wants_gpu(self) -> bool:
        """Whether the stage uses a GPU if available."""
        return any(name.partition(".")[0] == "torch" for name in self.libraries)


@dataclass(frozen=True)
class Ended:
    """How one stage ended."""

    key: str
    """Of the stage: `Job.key`."""
    outcome: Outcome
    """Without status and missing input, the stage's worker was lost, and the stage is rerun."""
    seconds: float = 0.0
    """Wall time."""
    peak_bytes: int = 0
    """Host memory of all its processes."""
    log: bytes = b""
    """Its output, or the beginning and end of it."""


@dataclass(frozen=True)
class InProgress:
    """A stage that was started and has not ended."""

    key: str
    """Of the stage: `Job.key`."""
    seconds: float
    """Elapsed since its start."""
    started: bool = True
    """False while its process is being set up."""
    progress: tuple[int, int | None, str] | None = None
    """Done, total if known, and what is counted."""


class Executor(ABC):
    """Runs stages, each isolated from all others and within its limits.

    The run loop calls `has_room`, then `start`, and collects ended stages with `wait`; all from one thread. A
    stage is `bench.stages.run.execute`, which writes its artefact to the store itself. No stage may outlive
    the executor.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @property
    def full(self) -> bool:
        """Whether no stage can start now; saves the loop from checking every stage."""
        return False

    @abstractmethod
    def has_room(self, work: Work) -> bool:
        """Return whether a stage can start now. Raises `DataError` with the reason if it never can."""

    @abstractmethod
    def start(self, work: Work) -> None:
        """Start a stage for which there is room."""

    @abstractmethod
    def wait(self, seconds: float) -> list[Ended]:
        """Wait at most `seconds` for stages to end; return those that have."""

    @abstractmethod
    def running(self) -> Sequence[InProgress]:
        """Return the stages that have not ended, oldest first."""

    @abstractmethod
    def close(self) -> None:
        """Kill all stages and free all resources. Called once, also after errors."""


def run_stage(work: Work, setup: Setup) -> Outcome:
    """Run a stage in this process, on the CPU unless `setup` names a device; return how it ended.

    For executors that start their own processes or use other machines: these must enforce time and memory
    limits, capture the log and survive crashes.
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
