"""Shows the progress of a run: a live panel on a terminal, one line per cell elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.execute.executor import InProgress
from bench.execute.run import State
from bench.interfaces import PADDING
from bench.planning.plan import Cell
from bench.records.leftout import from_json
from bench.records.record import CellRecord, Status
from bench.util.text import printable

_REFRESH_S = 0.2
_SAY_ALIVE_S = 60.0
_COLOURS = {Status.OK: "green", Status.DEGENERATE: "yellow", Status.BLOCKED: "magenta"}


class Display:
    """A watcher that prints. Use as a context manager around the run."""

    def __init__(self, console: Console, cells: int, *, quiet: bool) -> None:
        self._console, self._cells, self._quiet = console, cells, quiet
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if self._interactive() else None
        )
        self._counts: Counter[Status] = Counter()
        self._warned: set[str] = set()
        self._cached = self._done = 0
        self._rates: dict[str, _Rate] = {}
        self._start = self._refreshed = self._spoke = time.monotonic()

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def cell_done(self, cell: Cell, record: CellRecord, *, cached: bool) -> None:
        """Count a cell; on a plain console print its line, anywhere print why it failed."""
        self._counts[record.status] += 1
        self._done += 1
        self._cached += cached
        if self._quiet:
            return
        self._warn_of_images(record)
        if cached:
            return
        failed = record.status.failed
        if self._live is None or failed:
            colour = _COLOURS.get(record.status, "red")
            line = f"[{self._done}/{self._cells}] {cell.dataset} · {cell.method} · seed {cell.seed}"
            why = f" {record.failed_stage or ''}: {record.error}" if failed else f" {record.wall_s:.1f} s"
            text = Text.assemble(line, " ", (str(record.status), colour), why)
            self._console.print(text, soft_wrap=True)
            self._spoke = time.monotonic()

    def _warn_of_images(self, record: CellRecord) -> None:
        """Warn, once per dataset, of images that could not be used and of padding that does not suit them."""
        lost, padding = from_json(record.left_out), record.dataset_notes.get(PADDING)
        said = [lost.sentence()] if lost is not None and lost.loud else []
        said += [f"{PADDING}: {padding}"] if padding else []
        if not said or record.dataset in self._warned:
            return
        self._warned.add(record.dataset)
        for text in said:
            text = printable(f"WARNING: {record.dataset}: {text}")
            self._console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)

    def tick(self, state: State) -> None:
        """Draw the panel anew, or, on a plain console, print from time to time that the run is alive."""
        now = time.monotonic()
        self._rates = {r.key: _updated(self._rates.get(r.key), r, now) for _, r in state.running}
        if self._live is not None and now - self._refreshed >= _REFRESH_S:
            self._refreshed = now
            self._live.update(self._panel(state), refresh=True)
        elif self._live is None and not self._quiet and now - self._spoke >= _SAY_ALIVE_S:
            self._spoke = now
            running = "; ".join(
                f"{stage.title} {_clock(r.seconds)} {self._progress(r)}".rstrip()
                for stage, r in state.running
            )
            self._console.print(f"[{self._done}/{self._cells}] running: {running}", markup=False)

    def _interactive(self) -> bool:
        return self._console.is_terminal and not self._quiet

    def _panel(self, state: State) -> RenderableType:
        elapsed = time.monotonic() - self._start
        counts = ", ".join(f"{n} {s}" for s, n in self._counts.items())
        head = Table.grid(padding=(0, 1))
        head.add_row(
            f"cells {state.cells_done}/{state.cells}",
            ProgressBar(total=state.cells, completed=state.cells_done, width=30),
            f"{_clock(elapsed)}{self._time_left(state, elapsed)}",
            Text(counts, style="dim"),
        )
        stages = Table.grid(padding=(0, 1))
        for stage, running in state.running[:12]:
            stages.add_row(
                "  ▸", escape(stage.title), _clock(running.seconds), escape(self._progress(running))
            )
        tail = f"  {state.stages_waiting} stages waiting"
        if state.stages_elsewhere:
            tail += f", {state.stages_elsewhere} of them being computed by another run"
        return Group(head, stages, Text(tail, style="dim"))

    def _progress(self, running: InProgress) -> str:
        if not running.started:
            return "starting"
        if running.progress is None:
            return ""
        done, total, text = running.progress
        share = f"{done}/{total} {text}" if total else f"{done} {text}"
        rate = self._rates[running.key].per_s
        if rate <= 0:
            return share
        left = f", {_clock((total - done) / rate)} left" if total and done < total else ""
        return f"{share}, {rate:.3g}/s{left}"

    def _time_left(self, state: State, elapsed: float) -> str:
        fresh = state.cells_done - self._cached
        if fresh < 3 or state.cells_done == state.cells:
            return ""
        return f", about {_clock(elapsed / fresh * (state.cells - state.cells_done))} left"


@dataclass(frozen=True)
class _Rate:
    """Rate at which a stage processes its items, since its current counter started."""

    text: str
    since: float
    first: int
    """Value of the counter at that time: a resumed stage does not start at 0."""
    per_s: float = 0.0


def _updated(rate: _Rate | None, running: InProgress, now: float) -> _Rate:
    done, _, text = running.progress or (0, None, "")
    if rate is None or rate.text != text or done < rate.first:
        return _Rate(text, now, done)
    seconds = now - rate.since
    return replace(rate, per_s=(done - rate.first) / seconds) if seconds > 0 else rate


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
