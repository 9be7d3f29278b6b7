"""`bench compare` and `bench regress`: what got worse or better beyond noise."""

from __future__ import annotations

import json
from pathlib import Path

from bench.cli.commands.inspect import wide_console
from bench.cli.results import folder_name
from bench.errors import DataError
from bench.regression.compare import compare
from bench.regression.finding import Report
from bench.regression.nights import read_nights, regress, since
from bench.regression.reading import find_run, read_run
from bench.regression.render import markdown, terminal
from bench.util.text import suggest

_FORMATS = ["terminal", "md", "json"]


def compare_runs(before: Path, after: Path, time_ratio: float, memory_ratio: float, format: str) -> int:
    """Print what differs between two runs; return the exit code of the process."""
    _known(format)
    for name, ratio in (("--time-ratio", time_ratio), ("--memory-ratio", memory_ratio)):
        if not ratio > 1:
            raise DataError(f"{name} {ratio:g}: a ratio above 1 is wanted, e.g. 1.5")
    runs = [read_run(find_run(folder)) for folder in (before, after)]
    ratios = {"time": time_ratio, "memory": memory_ratio, "GPU memory": memory_ratio}
    return _told(compare(runs[0], runs[1], ratios), format)


def judge_nights(suite: str, profile: str | None, start: str | None, base: Path, format: str) -> int:
    """Print what differs between the newest night and those before; return the exit code of the process."""
    _known(format)
    nights = read_nights(base, folder_name(suite, profile))
    return _told(regress(since(nights, start) if start else nights), format)


def _known(format: str) -> None:
    if format not in _FORMATS:
        raise DataError(f"--format: no format {format!r}; {suggest(format, _FORMATS)}")


def _told(report: Report, format: str) -> int:
    if format == "json":
        print(json.dumps(report.body(), allow_nan=False))
    elif format == "md":
        print(markdown(report), end="")
    else:
        console = wide_console()
        for part in terminal(report):
            console.print(part)
    return report.code
