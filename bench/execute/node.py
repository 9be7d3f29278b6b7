"""Runs stages on one machine: isolates them, enforces limits, and reports how they ended."""

from __future__ import annotations

import psutil

from bench.execute.executor import Ended, InProgress, Setup, Work
from bench.execute.gpus import Gpus, visible_gpus
from bench.execute.process import Running, ServerHung, ServerLost, Workers, outcome_of
from bench.stages.job import Allocation, Outcome
from bench.util import environment

_MEMORY_SHARE = 0.9
"""Default memory limit of a stage, as a share of the machine's memory."""


class Node:
    """This machine, with its memory, its GPUs and the processes of stages.

    Raises `DataError` if `setup.device` names a GPU that this machine lacks.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._gpus = Gpus(visible_gpus(setup.device))
        self._memory = int(psutil.virtual_memory().total * _MEMORY_SHARE)
        self._environment = environment.describe()
        self._workers = Workers(setup.threads)
        self._works: dict[str, Work] = {}
        self._held: dict[str, tuple[str, ...]] = {}
        self._lost: list[str] = []
        self._distrusted: set[str] = set()

    def has_gpus(self, work: Work) -> bool:
        """Return whether the GPUs that a stage needs are free. Raises `DataError` if there are too few."""
        count = work.job.processes
        return not work.wants_gpu or self._gpus.free(count, work.limits.gpu_share) is not None

    def start(self, work: Work) -> None:
        """Start a stage for which there is room."""
        job, limits = work.job, work.limits
        gpus = self._gpus.take(job.processes, limits.gpu_share) if work.wants_gpu else ()
        self._works[job.key], self._held[job.key] = work, gpus or ()
        adapter = job.adapter.adapter if job.adapter is not None else ""
        trusted = work.built_in and adapter not in self._distrusted
        memory = self._memory if limits.memory_gib is None else int(limits.memory_gib * 2**30)
        try:
            self._workers.start(
                job,
                self._allocation(work, gpus or ()),
                work.libraries if trusted else (),
                warm=trusted,
                wall_s=limits.wall_s,
                memory_bytes=memory,
            )
        except ServerLost:
            self._server_lost(job.key)

    def wait(self, seconds: float) -> list[Ended]:
        """Watch all stages for at most `seconds`; return those that ended."""
        ended = []
        try:
            ended = [self._ended(running) for running in self._workers.wait(seconds)]
        except ServerHung as e:
            self._distrust(e.culprit.key)
            ended = [self._ended(e.culprit)]
            self._server_lost(hung=e.culprit.key)
        except ServerLost:
            self._server_lost()
        lost, self._lost = self._lost, []
        return ended + [Ended(key, Outcome(error="the fork server died")) for key in lost]

    def running(self) -> list[InProgress]:
        """Return the stages that have not ended, oldest first."""
        return [
            InProgress(r.key, r.seconds(), r.pid is not None, r.inbox.progress)
            for r in self._workers.running()
        ]

    def close(self) -> None:
        """Kill all processes."""
        self._workers.close()

    def _allocation(self, work: Work, gpus: tuple[str, ...]) -> Allocation:
        device = self._setup.device
        return Allocation(
            store=str(self._setup.store),
            session=self._setup.session,
            device="cpu" if device == "auto" and not work.wants_gpu else device,
            gpus=gpus,
            environment=self._environment,
        )

    def _ended(self, running: Running) -> Ended:
        self._release(running.key)
        return Ended(
            running.key, outcome_of(running), running.seconds(), running.peak_bytes, running.log.bytes()
        )

    def _server_lost(self, starting: str | None = None, *, hung: str | None = None) -> None:
        """Give up what runs, for another attempt, but for the stage that the server `hung` on.

        If an import or warm-up is to blame, the stage meets it itself next time.
        """
        lost = [r.key for r in self._workers.running() if r.key != hung]
        if starting is not None:
            lost.append(starting)
        for key in lost:
            if hung is None:
                self._distrust(key)
            self._release(key)
        self._workers.close()
        self._lost += lost

    def _distrust(self, key: str) -> None:
        job = self._works[key].job
        if job.adapter is not None:
            self._distrusted.add(job.adapter.adapter)

    def _release(self, key: str) -> None:
        self._gpus.give_back(self._held.pop(key), self._works.pop(key).limits.gpu_share)
