"""The run loop: schedules the stages of a plan until every cell has its record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, Protocol

from pydantic import ValidationError

from bench.adapters import registry
from bench.errors import DataError, DiskFull
from bench.execute.executor import Ended, Executor, InProgress, Setup, Work
from bench.planning.plan import Cell, Plan, Stage
from bench.records.record import CellRecord, Environment, StageReport, Status
from bench.records.results import Results
from bench.records.store import Store
from bench.stages.job import Job
from bench.stages.recording import Failure, Recorder
from bench.util import environment

_TICK_S = 0.05
_CLAIM_RETRY_S = 0.3
_MAX_REPEATS = 3
_SIGN_OF_LIFE_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a plan; none of these changes a result's key."""

    executor: type[Executor]
    jobs: int | None = None
    """Stages at once; None: the executor decides."""
    retry: frozenset[Status] = frozenset()
    """Statuses of finished cells to run again."""
    device: str = "auto"


class Watcher(Protocol):
    """Receives events of a run, to display them."""

    def cell_done(self, cell: Cell, record: CellRecord, *, cached: bool) -> None:
        """One cell has its record."""

    def tick(self, state: State) -> None:
        """Some time has passed."""


@dataclass
class State:
    """Progress of a run."""

    cells: int
    cells_done: int = 0
    stages_waiting: int = 0
    stages_elsewhere: int = 0
    """Stages that another run is working on."""
    running: list[tuple[Stage, InProgress]] = field(default_factory=list)


class Interrupted(Exception):
    """The run was stopped on request and has ended all its processes."""


def run(
    plan: Plan,
    store: Store,
    results: Results,
    options: Options,
    watcher: Watcher,
    stop: Callable[[], bool],
) -> dict[str, CellRecord]:
    """Run every planned cell; return the records by cell key.

    Raises `Interrupted` soon after `stop()` turns true, and `DiskFull`; what is finished by then is kept.
    """
    threads = plan.suite.block.limits.threads
    with store.session() as session:
        setup = Setup(store.root.resolve(), session, threads, options.jobs, options.device)
        executor = options.executor(setup)
        loop = _RunLoop(plan, store, results, watcher, executor)
        try:
            return loop.run(options.retry, stop)
        finally:
            executor.close()
            loop.release()  # an exception that a notebook keeps would hold the claims, and stop the next run


class _RunLoop:
    def __init__(
        self, plan: Plan, store: Store, results: Results, watcher: Watcher, executor: Executor
    ) -> None:
        self._plan, self._store, self._results = plan, store, results
        self._watcher, self._executor = watcher, executor
        self._recorder = Recorder(plan.suite.name, Environment(**environment.describe()))
        self._records: dict[str, CellRecord] = {}
        self._open_cells: dict[str, Cell] = {}
        self._users: dict[str, list[Cell]] = {key: [] for key in plan.stages}
        self._available: set[str] = set()
        self._todo: dict[str, Stage] = {}  # in plan order
        self._elsewhere: dict[str, float] = {}
        self._claims: dict[str, IO[str]] = {}
        self._works: dict[str, Work] = {}
        self._repeats: dict[str, int] = {}
        self._state = State(len(plan.cells))
        self._next_sign = 0.0

    def run(self, retry: frozenset[Status], stop: Callable[[], bool]) -> dict[str, CellRecord]:
        for cell in self._plan.cells:
            self._look_up(cell, retry)
        for cell in self._open_cells.values():
            for key in cell.stages:
                self._users[key].append(cell)
        for key, users in self._users.items():
            if users:
                self._request(key)
        self._finish_cells(self._open_cells.values())
        while self._open_cells:
            if stop():
                raise Interrupted
            self._show_life()
            self._start_ready_stages()
            for ended in self._executor.wait(_TICK_S):
                self._stage_ended(ended)
            self._state.running = [(self._plan.stages[r.key], r) for r in self._executor.running()]
            self._state.stages_waiting = len(self._todo)
            self._state.stages_elsewhere = len(self._elsewhere)
            self._watcher.tick(self._state)
        return {cell.key: self._records[cell.key] for cell in self._plan.cells}

    def release(self) -> None:
        """Let other runs do what this one has not finished."""
        for key in list(self._claims):
            self._release(key)

    def _show_life(self) -> None:
        now = time.monotonic()
        if now >= self._next_sign:
            self._store.sign_of_life(self._executor.setup.session)
            self._next_sign = now + _SIGN_OF_LIFE_S

    # What there is to do

    def _look_up(self, cell: Cell, retry: frozenset[Status]) -> None:
        record = self._results.get(cell.key, quarantine=True)
        if record is not None and record.status not in retry:
            self._cell_done(cell, record, cached=True)
        elif cell.blocked is not None:
            self._cell_done(cell, self._recorder.blocked(cell))
        else:
            self._open_cells[cell.key] = cell

    def _request(self, key: str) -> None:
        if self._store.holds(key):
            self._available.add(key)
        else:
            self._available.discard(key)
            self._todo[key] = self._plan.stages[key]

    def _start_ready_stages(self) -> None:
        now = time.monotonic()
        for key, stage in list(self._todo.items()):
            if self._executor.full:
                return
            if key not in self._todo or not all(k in self._available for k in stage.inputs.values()):
                continue
            if now < self._elsewhere.get(key, 0.0):
                continue
            work = self._works.get(key)
            if work is None:
                work = self._works[key] = _work(stage, self._plan.suite.block.precision)
            if not self._has_room(work):
                continue
            claim = self._store.claim(key)
            if claim is None:  # another run works on it: try again soon
                self._elsewhere[key] = now + _CLAIM_RETRY_S
                continue
            self._elsewhere.pop(key, None)
            del self._todo[key]
            self._claims[key] = claim
            if self._store.holds(key):  # the other run has finished it
                self._release(key)
                self._stage_available(key)
            else:
                self._executor.start(work)

    def _has_room(self, work: Work) -> bool:
        """Return whether a stage can start now; one that never can has failed."""
        try:
            return self._executor.has_room(work)
        except DataError as e:
            self._stage_failed(work.job.key, Failure(Status.ERROR, str(e)))
            return False

    # Events

    def _stage_ended(self, ended: Ended) -> None:
        stage, outcome = self._plan.stages[ended.key], ended.outcome
        self._release(stage.key)
        log = self._results.log(stage.key, ended.log) if ended.log.strip() else None
        if outcome.disk_full is not None:
            raise DiskFull(outcome.disk_full)
        if outcome.missing_input is not None and outcome.missing_input not in stage.inputs.values():
            text = "what it said of its end makes no sense: it has no such input"
            self._stage_failed(stage.key, Failure(Status.CRASH, text, ended.seconds, ended.peak_bytes, log))
        elif outcome.missing_input is not None:
            text = f"its input {outcome.missing_input} was damaged {_MAX_REPEATS} times; is the disk failing?"
            self._repeat(stage, Failure(Status.ERROR, text), outcome.missing_input)
        elif outcome.status is None:
            self._repeat(stage, Failure(Status.CRASH, f"{outcome.error or 'no outcome'} each time it ran"))
        elif outcome.status is not Status.OK:
            error = outcome.error or "no reason given"
            status = outcome.status if outcome.status.failed else Status.CRASH
            self._stage_failed(stage.key, Failure(status, error, ended.seconds, ended.peak_bytes, log))
        elif self._store.holds(stage.key):
            self._stage_available(stage.key)
        else:
            error = "the stage reported ok but wrote no artefact; is the disk full?"
            self._stage_failed(stage.key, Failure(Status.ERROR, error, ended.seconds, ended.peak_bytes, log))

    def _stage_available(self, key: str) -> None:
        self._available.add(key)
        self._finish_cells(self._open_users(key))

    def _open_users(self, key: str) -> list[Cell]:
        return [cell for cell in self._users[key] if cell.key in self._open_cells]

    def _stage_failed(self, key: str, failure: Failure) -> None:
        for cell in self._open_users(key):
            del self._open_cells[cell.key]
            stage, reports = self._plan.stages[key], self._reports(cell)
            self._cell_done(cell, self._recorder.failed(cell, stage, failure, reports))
        for other in [k for k in self._todo if not self._open_users(k)]:
            del self._todo[other]

    def _repeat(self, stage: Stage, failure: Failure, missing: str | None = None) -> None:
        """Rerun a stage, after recomputing a damaged or missing input; after too many times it has failed."""
        self._repeats[stage.key] = self._repeats.get(stage.key, 0) + 1
        if self._repeats[stage.key] > _MAX_REPEATS:
            self._stage_failed(stage.key, failure)
            return
        if missing is not None:
            self._request(missing)
        self._request(stage.key)
        self._todo = {k: self._todo[k] for k in self._plan.stages if k in self._todo}
        if stage.key in self._available:  # another run has finished it
            self._stage_available(stage.key)

    def _finish_cells(self, cells: Iterable[Cell]) -> None:
        for cell in list(cells):
            if not all(key in self._available for key in cell.stages):
                continue
            reports = self._reports(cell)
            missing = [key for key in cell.stages if key not in reports]
            if missing:  # found damaged and quarantined when read
                for key in missing:
                    self._request(key)
                continue
            self._open_cells.pop(cell.key, None)
            self._cell_done(cell, self._recorder.scored(cell, reports))

    def _reports(self, cell: Cell) -> dict[str, StageReport]:
        found = {key: self._report(key) for key in cell.stages}
        return {key: report for key, report in found.items() if report is not None}

    def _report(self, key: str) -> StageReport | None:
        metadata = self._store.metadata(key)
        try:
            return StageReport.model_validate(metadata) if metadata is not None else None
        except ValidationError:  # of a version with other fields: not for us to read
            self._store.quarantine(key)
            return None

    def _cell_done(self, cell: Cell, record: CellRecord, *, cached: bool = False) -> None:
        if not cached:
            self._results.put(record)
        self._records[cell.key] = record
        self._state.cells_done += 1
        self._watcher.cell_done(cell, record, cached=cached)

    def _release(self, key: str) -> None:
        claim = self._claims.pop(key, None)
        if claim is not None:
            self._store.release(key, claim)


def _work(stage: Stage, precision: str) -> Work:
    job = Job(
        stage=stage.kind,
        key=stage.key,
        adapter=stage.spec,
        inputs=stage.inputs,
        params=stage.params,
        seed=stage.seed,
        root=str(stage.root) if stage.root is not None else None,
        threads=stage.limits.threads,
        processes=stage.params.get("processes", 1),
        precision=precision,
    )
    adapter = type(stage.adapter) if stage.adapter is not None else None
    if adapter is None:
        return Work(job, stage.limits)
    return Work(job, stage.limits, adapter.libraries, registry.is_built_in(adapter))
