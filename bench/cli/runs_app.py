"""Commands about several runs: declares them; imports what they do only when one runs."""

from __future__ import annotations

import typer

from bench.cli.options.declare import command
from bench.cli.options.reports import CompareOptions, RegressOptions
from bench.cli.options.suites import MergeOptions

app = typer.Typer()


@command(app)
def compare(options: CompareOptions) -> int:
    """List what got worse or better beyond noise between two runs.

    Exit codes: 0 nothing got worse; 3 something did; 2 wrong usage.
    """
    from bench.cli.commands.compare import compare_runs

    return compare_runs(options)


@command(app)
def regress(options: RegressOptions) -> int:
    """Judge the newest night by those before it. Scores, and seconds and memory of stages.

    Exit codes: 0 nothing got worse; 3 something did; 2 wrong usage.
    """
    from bench.cli.commands.compare import judge_nights

    return judge_nights(options)


@command(app)
def merge(options: MergeOptions) -> int:
    """Join results of several machines into one folder. In any order; names what contradicts.

    Exit codes: 0 all agree; 1 records contradict or are damaged; 2 wrong usage.
    """
    from bench.cli.commands.merge import merge_results

    return merge_results(options)
