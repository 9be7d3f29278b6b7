"""Where commands print."""

from __future__ import annotations

import os
import sys

from rich.console import Console

from bench.report.tables.tableformat import Screen

PIPE_WIDTH = 160


def wide_console(*, stderr: bool = False) -> Console:
    """Return a console; a file or a pipe gets room for whole lines."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=PIPE_WIDTH)


def screen() -> Screen:
    """Return what standard output is."""
    if sys.stdout.isatty():
        return Screen(os.get_terminal_size().columns, is_terminal=True)
    return Screen(PIPE_WIDTH, is_terminal=False)
