"""`bench compare` and `bench regress`: what got worse or better beyond noise."""

from __future__ import annotations

import json

from bench.cli.console import wide_console
from bench.cli.options.reports import CompareOptions, RegressOptions
from bench.errors import UsageError
from bench.regression.compare import compare
from bench.regression.finding import Report
from bench.regression.nights import read_nights, regress, since
from bench.regression.reading import find_run, read_run
from bench.regression.render import markdown, terminal
from bench.suite.names import results_name
from bench.util.text import suggest

_FORMATS = ["terminal", "md", "json"]


def compare_runs(options: CompareOptions) -> int:
    """Print what differs between two runs; return the exit code of the process."""
    format = _known(options.chosen_format)
    time_ratio, memory_ratio = options.time_ratio, options.memory_ratio
    for name, ratio in (("--time-ratio", time_ratio), ("--memory-ratio", memory_ratio)):
        if not ratio > 1:
            raise UsageError(f"{name} {ratio:g}: expected a ratio above 1, e.g. 1.5")
    runs = [read_run(find_run(folder)) for folder in (options.before, options.after)]
    ratios = {"time": time_ratio, "memory": memory_ratio, "GPU memory": memory_ratio}
    return _printed(compare(runs[0], runs[1], ratios), format)


def judge_nights(options: RegressOptions) -> int:
    """Print what differs between the newest night and those before; return the exit code of the process."""
    format = _known(options.chosen_format)
    nights = read_nights(options.nights, results_name(options.suite.name, options.suite.profile))
    return _printed(regress(since(nights, options.since) if options.since else nights), format)


def _known(format: str) -> str:
    if format not in _FORMATS:
        raise UsageError(f"--format: no format {format!r}; {suggest(format, _FORMATS)}")
    return format


def _printed(report: Report, format: str) -> int:
    if format == "json":
        print(json.dumps(report.body(), allow_nan=False))
    elif format == "md":
        print(markdown(report), end="")
    else:
        console = wide_console()
        for part in terminal(report):
            console.print(part)
    return report.code
