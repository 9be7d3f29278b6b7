"""Runs a plan on this machine: stages in parallel, each in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

import psutil

from bench.adapters import registry
from bench.errors import DataError
from bench.execute.assemble import blocked_record, failed_record, scored_record
from bench.execute.gpus import Gpus, wants_gpu
from bench.execute.process import Running, ServerLost, Workers, verdict
from bench.planning.plan import Cell, Plan, Stage, packed
from bench.records.record import CellRecord, Status
from bench.records.results import Results
from bench.records.store import Store

_TICK_S = 0.05
_LOOK_ELSEWHERE_S = 0.3
_MAX_REPEATS = 3


@dataclass(frozen=True)
class Options:
    """How to run a plan; none of these changes a result's key."""

    jobs: int
    retry: frozenset[Status] = frozenset()
    """Statuses of finished cells that shall run again."""
    device: str = "auto"
    gpus: tuple[str, ...] = ()
    """GPUs to share out among stages, as CUDA_VISIBLE_DEVICES names them; none: no stage waits for one."""


class Watcher(Protocol):
    """Is told what happens, to show it."""

    def cell_done(self, cell: Cell, record: CellRecord, *, cached: bool) -> None:
        """One cell has its record."""

    def tick(self, state: State) -> None:
        """Some time has passed."""


@dataclass
class State:
    """Where the run stands."""

    cells: int
    cells_done: int = 0
    stages_waiting: int = 0
    stages_elsewhere: int = 0
    """Stages that another run is working on."""
    running: list[tuple[Stage, Running]] = field(default_factory=list)


class Interrupted(Exception):
    """The run was asked to stop and has ended all its processes."""


def run(
    plan: Plan,
    store: Store,
    results: Results,
    options: Options,
    watcher: Watcher,
    place: dict[str, Any],
    stop: Callable[[], bool],
) -> dict[str, CellRecord]:
    """Bring every planned cell to its record; return the records by cell key.

    Raises `Interrupted` soon after `stop()` turns true; what is finished by then is kept.
    """
    with store.session() as session:
        workers = Workers(plan.suite.block.limits.threads)
        try:
            return _Run(plan, store, results, options, watcher, place, stop, session, workers).run()
        finally:
            workers.close()


class _Run:
    def __init__(
        self,
        plan: Plan,
        store: Store,
        results: Results,
        options: Options,
        watcher: Watcher,
        place: dict[str, Any],
        stop: Callable[[], bool],
        session: str,
        workers: Workers,
    ) -> None:
        self._plan, self._store, self._results = plan, store, results
        self._options, self._watcher, self._place = options, watcher, place
        self._stop, self._session, self._workers = stop, session, workers
        self._records: dict[str, CellRecord] = {}
        self._open_cells: dict[str, Cell] = {}
        self._users: dict[str, list[Cell]] = {key: [] for key in plan.stages}
        self._available: set[str] = set()
        self._todo: dict[str, Stage] = {}  # in plan order
        self._elsewhere: dict[str, float] = {}
        self._claims: dict[str, IO[str]] = {}
        self._gpus = Gpus(options.gpus)
        self._held: dict[str, tuple[str, ...]] = {}
        self._started: dict[int, Stage] = {}
        self._repeats: dict[str, int] = {}
        self._distrusted: set[str] = set()
        self._state = State(len(plan.cells))

    def run(self) -> dict[str, CellRecord]:
        for cell in self._plan.cells:
            self._look_up(cell)
        for cell in self._open_cells.values():
            for key in cell.stages:
                self._users[key].append(cell)
        for key, users in self._users.items():
            if users:
                self._want(key)
        self._finish_cells(self._open_cells.values())
        while self._open_cells:
            if self._stop():
                raise Interrupted
            try:
                self._start_what_can_start()
                for ended in self._workers.wait(_TICK_S):
                    self._stage_ended(ended)
            except ServerLost:
                self._server_lost()
            self._state.running = [(self._started[r.number], r) for r in self._workers.running()]
            self._state.stages_waiting = len(self._todo)
            self._state.stages_elsewhere = len(self._elsewhere)
            self._watcher.tick(self._state)
        return {cell.key: self._records[cell.key] for cell in self._plan.cells}

    # What there is to do

    def _look_up(self, cell: Cell) -> None:
        record = self._results.get(cell.key, mend=True)
        if record is not None and record.status not in self._options.retry:
            self._cell_done(cell, record, cached=True)
        elif cell.blocked is not None:
            self._cell_done(cell, blocked_record(self._plan, cell, self._place))
        else:
            self._open_cells[cell.key] = cell

    def _want(self, key: str) -> None:
        if self._store.holds(key):
            self._available.add(key)
        else:
            self._available.discard(key)
            self._todo[key] = self._plan.stages[key]

    def _start_what_can_start(self) -> None:
        if not self._todo:
            return
        now = time.monotonic()
        for key, stage in list(self._todo.items()):
            busy = sum(_processes(s) for s in self._started.values())
            if busy >= self._options.jobs:
                return
            if busy and busy + _processes(stage) > self._options.jobs:
                continue
            if key not in self._todo or not all(k in self._available for k in stage.inputs.values()):
                continue
            if now < self._elsewhere.get(key, 0.0):
                continue
            if not self._take_gpus(stage):
                continue
            claim = self._store.claim(key)
            if claim is None:  # another run works on it: look again soon
                self._let_go(key)
                self._elsewhere[key] = now + _LOOK_ELSEWHERE_S
                continue
            self._elsewhere.pop(key, None)
            del self._todo[key]
            if self._store.holds(key):  # the other run has finished it
                self._claims[key] = claim
                self._let_go(key)
                self._stage_available(key)
            else:
                self._start(stage, claim)

    def _take_gpus(self, stage: Stage) -> bool:
        """Say whether the stage has the GPUs that it needs; if there will never be so many, it failed."""
        if not wants_gpu(stage):
            return True
        try:
            gpus = self._gpus.take(_processes(stage), stage.limits.gpu_share)
        except DataError as e:
            self._stage_failed(stage.key, Status.ERROR, str(e))
            return False
        if gpus is not None:
            self._held[stage.key] = gpus
        return gpus is not None

    def _start(self, stage: Stage, claim: IO[str]) -> None:
        adapter = type(stage.adapter) if stage.adapter is not None else None
        trusted = (
            adapter is not None and registry.is_built_in(adapter) and adapter.use not in self._distrusted
        )
        libraries = list(adapter.libraries) if adapter is not None and trusted else []
        memory = stage.limits.memory_gib
        limit = int(memory * 2**30) if memory is not None else int(psutil.virtual_memory().total * 0.9)
        self._claims[stage.key] = claim
        try:
            running = self._workers.start(
                self._job(stage), libraries, warm=trusted, wall_s=stage.limits.wall_s, memory_bytes=limit
            )
        except ServerLost:
            self._let_go(stage.key)
            self._todo[stage.key] = stage
            raise
        self._started[running.number] = stage

    def _job(self, stage: Stage) -> dict[str, Any]:
        return {
            "stage": stage.kind,
            "key": stage.key,
            "adapter": packed(stage.adapter) if stage.adapter is not None else None,
            "inputs": stage.inputs,
            "params": stage.params,
            "seed": stage.seed,
            "root": str(stage.root) if stage.root is not None else None,
            "store": str(self._store.root.resolve()),
            "run": self._session,
            "threads": stage.limits.threads,
            "device": self._options.device if wants_gpu(stage) or self._options.device != "auto" else "cpu",
            "gpus": self._held.get(stage.key, ()),
            "precision": self._plan.suite.block.precision,
            "place": self._place,
        }

    # What happened

    def _stage_ended(self, ended: Running) -> None:
        stage = self._started.pop(ended.number)
        self._let_go(stage.key)
        text = ended.log.bytes()
        log = self._results.log(stage.key, text) if text.strip() else None
        if ended.outcome is not None and ended.outcome["status"] == "input-gone" and ended.doom is None:
            self._repeat(stage, ended.outcome["key"])
            return
        status, error = verdict(ended)
        if status is Status.OK and self._store.holds(stage.key):
            self._stage_available(stage.key)
            return
        if status is Status.OK:
            status, error = Status.ERROR, "the stage said ok but left no artefact; is the disk full?"
        self._stage_failed(stage.key, status, error or "no reason given", ended, log)

    def _stage_available(self, key: str) -> None:
        self._available.add(key)
        self._finish_cells(self._open_users(key))

    def _open_users(self, key: str) -> list[Cell]:
        return [cell for cell in self._users[key] if cell.key in self._open_cells]

    def _stage_failed(
        self, key: str, status: Status, error: str, ended: Running | None = None, log: str | None = None
    ) -> None:
        for cell in self._open_users(key):
            del self._open_cells[cell.key]
            stage, abouts = self._plan.stages[key], self._abouts(cell)
            record = failed_record(self._plan, cell, stage, status, error, ended, log, abouts, self._place)
            self._cell_done(cell, record)
        for other in [k for k in self._todo if not self._open_users(k)]:
            del self._todo[other]

    def _repeat(self, stage: Stage, gone: str) -> None:
        """Make a damaged input again, and then the stage that found it so."""
        self._repeats[stage.key] = self._repeats.get(stage.key, 0) + 1
        if self._repeats[stage.key] > _MAX_REPEATS:
            text = f"its input {gone} was damaged {_MAX_REPEATS} times; is the disk failing?"
            self._stage_failed(stage.key, Status.ERROR, text)
            return
        self._want(gone)
        self._want(stage.key)
        self._todo = {k: self._todo[k] for k in self._plan.stages if k in self._todo}

    def _server_lost(self) -> None:
        """Start over with what was running: none of it was to blame for sure."""
        lost = [self._started.pop(r.number) for r in self._workers.running()]
        self._workers.close()
        for stage in lost:
            self._let_go(stage.key)
            self._repeats[stage.key] = self._repeats.get(stage.key, 0) + 1
            if (
                stage.adapter is not None
            ):  # perhaps its import or warm-up was to blame: leave that to the stage
                self._distrusted.add(type(stage.adapter).use)
            if self._repeats[stage.key] > _MAX_REPEATS:
                self._stage_failed(stage.key, Status.CRASH, "the fork server died each time it ran")
            else:
                self._todo[stage.key] = stage

    def _finish_cells(self, cells: Iterable[Cell]) -> None:
        for cell in list(cells):
            if not all(key in self._available for key in cell.stages):
                continue
            abouts = self._abouts(cell)
            gone = [key for key in cell.stages if key not in abouts]
            if gone:  # damaged after all: quarantined by the look at it
                for key in gone:
                    self._want(key)
                continue
            self._open_cells.pop(cell.key, None)
            self._cell_done(cell, scored_record(self._plan, cell, abouts, self._place))

    def _abouts(self, cell: Cell) -> dict[str, dict[str, Any]]:
        found = {key: self._store.about(key) for key in cell.stages}
        return {key: about for key, about in found.items() if about is not None}

    def _cell_done(self, cell: Cell, record: CellRecord, *, cached: bool = False) -> None:
        if not cached:
            self._results.put(record)
        self._records[cell.key] = record
        self._state.cells_done += 1
        self._watcher.cell_done(cell, record, cached=cached)

    def _let_go(self, key: str) -> None:
        self._gpus.give_back(self._held.pop(key, ()), self._plan.stages[key].limits.gpu_share)
        claim = self._claims.pop(key, None)
        if claim is not None:
            self._store.release(key, claim)


def _processes(stage: Stage) -> int:
    return int(stage.params.get("processes", 1))


def default_jobs(threads: int) -> int:
    """Return how many stages to run at once: one per `threads` cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // threads)
