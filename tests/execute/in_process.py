"""An executor without processes: each stage runs to its end when it is started."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from bench.execute.executor import Ended, Executor, InProgress, Setup, Work, run_stage
from bench.stages.job import Job, Outcome


class InProcess(Executor):
    """Runs one stage at a time in the process of the run itself."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._ended: list[Ended] = []

    def has_room(self, work: Work) -> bool:
        """Return whether the last ended stage has been collected."""
        return not self._ended

    def start(self, work: Work) -> None:
        """Run the stage."""
        job, began = Job.model_validate_json(work.job.model_dump_json()), time.monotonic()
        outcome = self.run(replace(work, job=job))
        self._ended.append(Ended(job.key, outcome, time.monotonic() - began, log=b"ran here\n"))

    def run(self, work: Work) -> Outcome:
        """Run the stage; other executors of the tests lose it."""
        return run_stage(work, self.setup)

    def wait(self, seconds: float) -> list[Ended]:
        """Return the stage that was run."""
        ended, self._ended = self._ended, []
        return ended

    def running(self) -> Sequence[InProgress]:
        """Return nothing: no stage is left running."""
        return []

    def close(self) -> None:
        """Do nothing: no resources are held."""
