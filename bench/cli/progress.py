"""Progress of one long piece of work, on stderr: a bar on a terminal, an occasional line elsewhere."""

from __future__ import annotations

import time
from typing import Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

_SAY_ALIVE_S = 30.0
_REFRESH_S = 0.1


class Progress:
    """Call it as `progress(done, total, text)`; cheap to call often. A new text starts a new bar."""

    def __init__(self, unit: Literal["bytes", "images"]) -> None:
        self._unit = unit
        self._console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            *_columns(unit),
            console=self._console,
            transient=True,
        )
        self._task: tuple[str, TaskID] | None = None
        self._begun = (time.monotonic(), 0)
        self._spoke = time.monotonic()

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def __call__(self, done: int, total: int | None, text: str) -> None:
        if self._task is None or self._task[0] != text:
            if self._task is not None:
                self._bars.remove_task(self._task[1])
            self._task = text, self._bars.add_task(text, total=total, completed=done)
            self._begun = time.monotonic(), done
        now = time.monotonic()
        if now - self._spoke < (_REFRESH_S if self._console.is_terminal else _SAY_ALIVE_S) and done != total:
            return
        self._spoke = now
        if self._console.is_terminal:
            self._bars.update(self._task[1], total=total, completed=done)
        elif now - self._begun[0] >= _SAY_ALIVE_S:
            self._console.print(f"{text}: {self._line(done, total, now)}", markup=False, soft_wrap=True)

    def _line(self, done: int, total: int | None, now: float) -> str:
        rate = (done - self._begun[1]) / (now - self._begun[0])
        left = f", about {(total - done) / rate / 60:.0f} min left" if total and rate > 0 else ""
        if self._unit == "bytes":
            of = f" of {human(total)}" if total else ""
            return f"{human(done)}{of}, {human(int(rate))}/s{left}"
        return f"{done}{f' of {total}' if total else ''}, {rate:.3g}/s{left}"


def human(size: int) -> str:
    """Format a number of bytes: 49,039,640,485 as 49 GB."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{size} B" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def _columns(unit: str) -> tuple[ProgressColumn, ...]:
    if unit == "bytes":
        return DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    return MofNCompleteColumn(), TimeRemainingColumn()
