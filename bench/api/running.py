"""Running a suite: from the command line, from a script and in a notebook."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from bench.errors import DataError, DiskFull, RunBrokenOff, UsageError
from bench.execute.executor import EXECUTORS
from bench.execute.run import Interrupted, Options, Watcher
from bench.execute.run import run as run_plan
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import Cell, Plan, make_plan
from bench.records.marker import claim_folder
from bench.records.record import CellRecord, Status
from bench.records.results import Results
from bench.records.store import Store
from bench.report.tables.written import Written, write_leaderboard
from bench.suite.names import identity
from bench.util.durable import explained, is_full
from bench.util.text import suggest

if TYPE_CHECKING:
    import pandas as pd

    from bench.api.tables import LeaderboardView
    from bench.suite.schema import Suite

Watching = Callable[[int], AbstractContextManager[Watcher]]
"""Given the number of cells, returns a watcher that displays the run."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What to run of a suite, and how; none of it changes a result."""

    store: Path
    results: Path
    """Folder with one folder per suite."""
    jobs: int | None = None
    """Stages at once; None: the executor decides."""
    executor: str = "local"
    """Name of an executor, or a Python file that defines one."""
    retry: frozenset[Status] = frozenset()
    """Statuses of finished cells to run again."""
    only: str | None = None
    """Prefix of the key of the one cell to run, even if it has finished."""
    device: str = "auto"


@dataclass(frozen=True, repr=False)
class FinishedRun(os.PathLike[str]):
    """A run's folders, and how its cells ended. As a path it is the suite's results folder."""

    suite: str
    """Name of the suite, and of its results folder."""
    folder: Path
    """results/<suite>."""
    store: Path
    """Folder of the artefacts."""
    cells: Mapping[str, CellRecord | None]
    """Key -> record of every requested cell; None if the run was interrupted before."""
    written: Written
    """The leaderboard's files."""
    interrupted: bool = False
    """Whether it was stopped before all cells had their records."""

    @property
    def statuses(self) -> dict[str, int]:
        """Number of cells by status; those without a record are `missing`."""
        found = (str(r.status) if r is not None else "missing" for r in self.cells.values())
        return dict(sorted(Counter(found).items()))

    @property
    def failed(self) -> int:
        """Number of cells without scores."""
        return sum(r is None or r.status.failed for r in self.cells.values())

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        ended = ", ".join(f"{n} {status}" for status, n in self.statuses.items())
        return f"FinishedRun({self.suite}: {ended}; {self.folder})"

    def records(self) -> pd.DataFrame:
        """Return one row per cell: see `cutjoin.records`."""
        from bench.api.frames import records

        return records(self)

    def images(self, cell: str | Mapping[Any, Any] | pd.Series[Any], **how: Any) -> pd.DataFrame:
        """Return the images of a cell, named by its row of `records()` or its key: see `cutjoin.images`."""
        from bench.api.frames import images

        return images(cell, self, **how)

    def leaderboard(self, **how: Any) -> LeaderboardView:
        """Return the tables of the suite: see `cutjoin.leaderboard`."""
        from bench.api.tables import leaderboard

        return leaderboard(self, **how)


def run_suite(suite: Suite, request: RunRequest, watching: Watching) -> FinishedRun:
    """Run every cell of a suite and write its leaderboard.

    SIGINT, SIGTERM and SIGHUP end the run in order: finished results are kept, and `interrupted` is true.

    Raises
    ------
    DataError : there is no data at all.
    UsageError : `jobs` below 1, no such executor, no cell whose key begins with `only`, a folder that is no
        store, or results of another suite of the same name.
    DiskFull, RunBrokenOff : the operating system ended the run; what is finished is kept.
    """
    jobs: object = request.jobs
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise UsageError(f"jobs: a whole number of at least 1, or None for one per core; got {jobs!r}")
    executor = EXECUTORS.load(request.executor, Path.cwd()).value
    store = Store(request.store)
    if (notice := claim_folder(store.root)) is not None:
        print(f"bench: {notice}", file=sys.stderr)
    whole = make_plan(suite, Fingerprints(store.root / "fingerprints.sqlite"))
    results = Results(request.results, suite.name)
    results.refuse_other(identity(suite.file))
    plan, retry = whole, request.retry
    if request.only is not None:
        plan, retry = replace(whole, cells=[_cell(whole, request.only, results)]), frozenset(Status)
    _refuse_without_any_data(plan)
    results.claim(identity(suite.file))
    results.write_plan(whole.on_disk())
    options = Options(executor=executor, jobs=request.jobs, retry=retry, device=request.device)
    interrupted = False
    with _explaining():
        with _Stop() as stop, watching(len(plan.cells)) as watcher:
            try:
                run_plan(plan, store, results, options, watcher, lambda: stop.requested)
            except Interrupted:
                interrupted = True
        written = write_leaderboard(results, {c.key: results.get(c.key) for c in whole.cells})
    cells = {c.key: results.get(c.key) for c in plan.cells}
    return FinishedRun(suite.name, results.folder, store.root, cells, written, interrupted)


def statuses(words: Iterable[str]) -> frozenset[Status]:
    """Return the named statuses; `failed` stands for all without scores.

    Raises `UsageError` for an unknown name, with the nearest.
    """
    known = [str(s) for s in Status]
    found: set[Status] = set()
    for word in words:
        if word == "failed":
            found |= {s for s in Status if s.failed}
        elif word in known:
            found.add(Status(word))
        else:
            raise UsageError(f"retry: no status named {word!r}; {suggest(word, [*known, 'failed'])}")
    return frozenset(found)


@contextmanager
def _explaining() -> Iterator[None]:
    """Say of errors of the operating system that they ended a run, and that nothing is lost."""
    kept = "Records and artefacts that are finished are kept"
    try:
        yield
    except OSError as e:
        message = str(e) if isinstance(e, DiskFull) else explained(e)
        if isinstance(e, DiskFull) or is_full(e):
            raise DiskFull(f"{message}. {kept}: make room, then run the same command again") from e
        raise RunBrokenOff(f"the run broke off: {message}. {kept}; the same command continues") from e


class _Stop:
    """Turns Ctrl-C, SIGTERM and SIGHUP into a flag that the run polls.

    Only the main thread can handle signals; a run in another thread cannot be interrupted.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, _: int, __: FrameType | None) -> None:
        self.requested = True


def _cell(plan: Plan, key: str, results: Results) -> Cell:
    """Return the planned cell whose key begins with `key`."""
    found = [c for c in plan.cells if key and c.key.startswith(key.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        named = [f"{c.key[:12]} ({c.dataset} · {c.method} · seed {c.seed})" for c in found[:5]]
        raise UsageError(f"--only {key}: {len(found)} cells match this key: {', '.join(named)}")
    hint = "`bench plan --json` lists the keys"
    if key.isalnum() and any(results.records.glob(f"{key.lower()}*.json")):
        hint = f"there is a record of one, but code, data or parameters have changed since; {hint} of now"
    raise UsageError(f"--only {key}: no cell of {results.suite} has a key that begins so; {hint}")


def _refuse_without_any_data(plan: Plan) -> None:
    reasons = dict.fromkeys(c.blocked for c in plan.cells)
    if None not in reasons:
        raise DataError("\n".join(r for r in reasons if r))
