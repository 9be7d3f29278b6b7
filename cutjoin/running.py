"""`cutjoin.run`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.api.folders import default_results, default_store
from bench.api.running import FinishedRun, RunRequest, run_suite, statuses
from bench.api.suites import load_suite
from bench.cli.display import Display
from bench.errors import UsageError
from bench.execute.run import State, Watcher
from bench.planning.plan import Cell
from bench.records.record import CellRecord
from bench.suite.schema import Suite

Progress = bool | Callable[[int, int], None]


def run(
    suite: Suite | str | Path | Mapping[str, Any],
    profile: str | None = None,
    *,
    store: str | Path | None = None,
    results: str | Path | None = None,
    data: str | Path | None = None,
    jobs: int | None = None,
    executor: str = "local",
    retry: str | Sequence[str] = (),
    device: str = "auto",
    progress: Progress = True,
) -> FinishedRun:
    """Run a suite: every planned cell ends as one record, and running again continues.

    Works in scripts and notebooks. Ctrl-C, or "interrupt" in a notebook, ends the run in order: what is
    finished is kept, and the same call continues. A run in a thread of its own cannot be interrupted.

    Parameters
    ----------
    suite, profile : a suite that `load_suite` returned, or what it takes.
    store : folder of artefacts, shared by all suites. Default: `$BENCH_STORE`, or the user's cache folder.
    results : folder with one folder per suite. Default: `$BENCH_RESULTS`, or `results`.
    data : folder with one folder per dataset, for datasets without a `root`. Default: `$BENCH_DATA`.
    jobs : stages at once. Default: one per core.
    executor : name of an executor, or a Python file that holds one.
    retry : statuses of finished cells that run again, e.g. ["error", "timeout"], or ["failed"].
    device : auto, cpu, cuda, cuda:1 or mps.
    progress : show the run while it goes on; or a function that is called after each cell with the number of
        finished cells and the number of all cells.

    Returns
    -------
    FinishedRun, with `statuses`, `records()` and `leaderboard()`. Cells that failed raise nothing: their
    records say why.

    Raises
    ------
    FileError, UsageError, DataError : the suite is wrong, or there is no data at all; nothing ran.
    KeyboardInterrupt : the run was interrupted; by then all its processes have ended.

    Examples
    --------
    >>> finished = cutjoin.run("quickstart", "smoke", store=store, results=results, progress=False)
    >>> finished.failed
    0
    """
    if isinstance(suite, Suite) and (profile is not None or data is not None):
        raise UsageError("run: profile and data belong to load_suite, where this suite was made")
    chosen = suite if isinstance(suite, Suite) else load_suite(suite, profile, data=data)
    request = RunRequest(
        # absolute, so that what is returned means the same after a change of the working directory
        store=Path(store if store is not None else default_store()).absolute(),
        results=Path(results if results is not None else default_results()).absolute(),
        jobs=jobs,
        executor=executor,
        retry=statuses([retry] if isinstance(retry, str) else retry),
        device=device,
    )
    finished = run_suite(chosen, request, lambda cells: _watching(cells, progress))
    if finished.interrupted:
        raise KeyboardInterrupt("what is finished is kept; the same call continues")
    return finished


def _watching(cells: int, progress: Progress) -> AbstractContextManager[Watcher]:
    if callable(progress):
        return nullcontext(_Counting(cells, progress))
    # in a notebook plain lines, one per cell: a panel that is redrawn needs a widget there
    console = Console(file=sys.stdout, force_jupyter=False)
    return Display(console, cells, quiet=not progress)


class _Counting:
    """A watcher that calls a function."""

    def __init__(self, cells: int, progress: Callable[[int, int], None]) -> None:
        self._cells, self._progress, self._done = cells, progress, 0

    def cell_done(self, cell: Cell, record: CellRecord, *, cached: bool) -> None:
        self._done += 1
        self._progress(self._done, self._cells)

    def tick(self, state: State) -> None: ...
