from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.cli.display import Display
from bench.execute.executor import InProgress
from bench.execute.run import State
from bench.planning.plan import Stage


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("bench.cli.display.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


Progress = tuple[int, int | None, str]


def running_stage(
    seconds: float, progress: Progress | None = None, *, started: bool = True
) -> tuple[Stage, InProgress]:
    stage = Stage("prepare", "cells", "k")
    return stage, InProgress("k", seconds, started, progress)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_with_its_rate_and_the_time_left(clock: Clock, terminal: bool):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=160)
    state = State(cells=2)
    with Display(console, 2, quiet=False) as display:
        for seconds, done in [(0, 0), (60, 600), (120, 1200)]:
            clock.now = 1000.0 + seconds
            state.running = [running_stage(seconds, (done, 6000, "images decoded"))]
            display.tick(state)
    assert "2:00 1200/6000 images decoded, 10/s, 8:00 left" in out.getvalue()


def test_a_stage_that_does_something_else_has_another_rate(clock: Clock):
    out = io.StringIO()
    state = State(cells=1)
    with Display(Console(file=out, width=200), 1, quiet=False) as display:
        for seconds, progress in [
            (0, (0, 100, "images decoded")),
            (300, (100, 100, "images decoded")),
            (310, (10, 100, "images scaled")),
            (320, (60, 100, "images scaled")),
        ]:
            clock.now = 1000.0 + seconds
            state.running = [running_stage(seconds, progress)]
            display.tick(state)
        clock.now += 50
        display.tick(state)
    assert "100/100 images decoded, 0.333/s" in out.getvalue()
    assert out.getvalue().splitlines()[-1].endswith("60/100 images scaled, 0.833/s, 0:48 left")


def test_work_done_before_an_interruption_does_not_count_as_fast(clock: Clock):
    out = io.StringIO()
    with Display(Console(file=out, width=200), 1, quiet=False) as display:
        for seconds, done in [(1, 900), (101, 910)]:
            clock.now = 1000.0 + seconds
            display.tick(State(cells=1, running=[running_stage(seconds, (done, 1000, "steps"))]))
    assert "910/1000 steps, 0.1/s, 15:00 left" in out.getvalue()


def test_a_stage_that_starts_or_says_nothing(clock: Clock):
    out = io.StringIO()
    state = State(cells=1, running=[running_stage(61, started=False)])
    with Display(Console(file=out, width=200), 1, quiet=False) as display:
        clock.now += 61
        display.tick(state)
        state.running = [running_stage(122)]
        clock.now += 61
        display.tick(state)
    first, second = out.getvalue().splitlines()
    assert first.endswith("1:01 starting")
    assert second.endswith("2:02")
