"""An executor without processes: each stage runs to its end when it is started."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.execute.executor import Ended, Executor, InProgress, Setup, Work
from bench.stages.job import Allocation, Job, Outcome
from bench.stages.run import execute
from bench.util import environment


class InProcess(Executor):
    """Runs one stage at a time in the process of the run itself."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._ended: list[Ended] = []

    def has_room(self, work: Work) -> bool:
        """Say whether the last end has been collected."""
        return not self._ended

    def start(self, work: Work) -> None:
        """Run the stage."""
        job, began = Job.model_validate_json(work.job.model_dump_json()), time.monotonic()
        given = Allocation(
            store=str(self.setup.store), session=self.setup.session, environment=environment.describe()
        )
        outcome = self.run(job, given)
        self._ended.append(Ended(job.key, outcome, time.monotonic() - began, log=b"ran here\n"))

    def run(self, job: Job, given: Allocation) -> Outcome:
        """Run the stage; other executors of the tests lose it."""
        return execute(job, given, lambda *_: None)

    def wait(self, seconds: float) -> list[Ended]:
        """Return the stage that was run."""
        ended, self._ended = self._ended, []
        return ended

    def running(self) -> Sequence[InProgress]:
        """Return nothing: no stage is left running."""
        return []

    def close(self) -> None:
        """Hold nothing."""
