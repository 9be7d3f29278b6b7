"""`bench run`."""

from __future__ import annotations

import json
import sys

from rich.console import Console

from bench.api.running import FinishedRun, RunRequest, statuses
from bench.api.running import run_suite as run
from bench.api.suites import load_suite
from bench.cli.console import wide_console
from bench.cli.display import Display
from bench.cli.options.suites import RunOptions
from bench.report.tables.render import terminal
from bench.util.text import plural, printable

FAILED, WRONG, INTERRUPTED = 1, 2, 130


def run_suite(options: RunOptions) -> int:
    """Run a suite, or the `only` cell whose key begins so, and write its leaderboard.

    Returns the exit code of the process; it and the counts are of the cells that were to run.
    """
    console = wide_console(stderr=options.json)
    request = RunRequest(
        store=options.folders.store,
        results=options.folders.results,
        jobs=options.jobs,
        executor=options.executor,
        retry=statuses(word for w in options.retry.split(",") if (word := w.strip())),
        only=options.only,
        device=options.device,
    )
    suite = load_suite(options.suite.name, options.suite.profile, data=options.data)
    finished = run(suite, request, lambda cells: Display(console, cells, quiet=options.quiet))
    code = INTERRUPTED if finished.interrupted else FAILED if finished.failed else 0
    for problem in finished.written.problems:
        print(f"bench: {problem}", file=sys.stderr)
    for one in finished.written.board.boards:
        if one.left_out is not None and one.left_out.loud and (options.json or options.quiet):
            print(f"bench: warning: {one.dataset}: {printable(one.left_out.sentence())}", file=sys.stderr)
    if options.json:
        print(json.dumps(_summary(finished, code)))
    elif not options.quiet:
        _conclude(console, finished)
    return code


def _summary(finished: FinishedRun, code: int) -> dict[str, object]:
    return {
        "suite": finished.suite,
        "exit_code": code,
        "cells": len(finished.cells),
        "statuses": finished.statuses,
        "left_out": {
            one.dataset: one.left_out.as_json()
            for one in finished.written.board.boards
            if one.left_out is not None
        },
        "leaderboard": str(finished.folder / "leaderboard.csv"),
        "records": str(finished.folder / "records"),
    }


def _conclude(console: Console, finished: FinishedRun) -> None:
    for part in terminal(finished.written.board, console.width):
        console.print(part)
    for one in finished.written.board.boards:
        if one.left_out is not None:
            text = f"\n{'WARNING: ' if one.left_out.loud else ''}{one.dataset}: {one.left_out.sentence()}."
            style = "bold red" if one.left_out.loud else "yellow"
            console.print(printable(text), style=style, markup=False, highlight=False, soft_wrap=True)
    counts = ", ".join(f"{n:,} {status}" for status, n in finished.statuses.items())
    console.print(f"\n{plural(len(finished.cells), 'cell')}: {counts}", highlight=False)
    if finished.interrupted:
        console.print("Interrupted. Finished work is kept; the same command continues.", style="yellow")
    elif finished.failed:
        again = f"bench status {finished.suite}"
        console.print(
            f"Some cells failed: `{again}` shows why; `--retry failed` runs them again.", style="red"
        )
    files = f"{finished.folder}/leaderboard.{finished.written.suffixes()}"
    console.print(f"Written: {files}", markup=False, highlight=False, soft_wrap=True)
