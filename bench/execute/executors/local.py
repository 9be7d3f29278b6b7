"""Runs stages on this machine, several at once, each in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence

from bench.execute.executor import Ended, Executor, InProgress, Setup, Work
from bench.execute.node import Node


class LocalExecutor(Executor):
    """The processes of this machine."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._jobs = setup.jobs or default_jobs(setup.threads)
        self._busy: dict[str, int] = {}  # key -> processes
        self._node = Node(setup)

    @property
    def full(self) -> bool:
        """Whether as many processes run as may run at once."""
        return sum(self._busy.values()) >= self._jobs

    def has_room(self, work: Work) -> bool:
        """Say whether the stage's processes and GPUs are free; more processes than `jobs` run alone."""
        busy = sum(self._busy.values())
        return self._node.has_gpus(work) and (not busy or busy + work.job.processes <= self._jobs)

    def start(self, work: Work) -> None:
        """Start the stage."""
        self._busy[work.job.key] = work.job.processes
        self._node.start(work)

    def wait(self, seconds: float) -> list[Ended]:
        """Look after all stages; return those that ended."""
        ended = self._node.wait(seconds)
        for one in ended:
            self._busy.pop(one.key, None)
        return ended

    def running(self) -> Sequence[InProgress]:
        """Return the stages that have not ended, oldest first."""
        return self._node.running()

    def close(self) -> None:
        """End all processes."""
        self._node.close()


def default_jobs(threads: int) -> int:
    """Return how many stages to run at once: one per `threads` cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
