"""Commands about several runs: declares them; imports what they do only when one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DEFAULT_RESULTS, JsonOpt, ProfileOpt, ResultsOpt, SuiteArg

app = typer.Typer()


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="RUN_A", help="Results of a suite, e.g. results/mine.")],
    after: Annotated[Path, typer.Argument(metavar="RUN_B", help="Results to compare with those of RUN_A.")],
    time_ratio: Annotated[float, typer.Option(help="Ratio from which a stage counts as slower.")] = 1.5,
    memory_ratio: Annotated[float, typer.Option(help="The same for its peak of memory.")] = 1.2,
    format: Annotated[str, typer.Option("--format", "-f", help="terminal, md or json.")] = "terminal",
    json: JsonOpt = False,
) -> None:
    """List what got worse or better beyond noise between two runs.

    Exit codes: 0 nothing got worse; 3 something did; 2 wrong usage.
    """
    from bench.cli.commands.compare import compare_runs

    raise typer.Exit(compare_runs(before, after, time_ratio, memory_ratio, "json" if json else format))


@app.command()
def regress(
    suite: SuiteArg,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="REF|DATE",
            help="First night to count: a date, a commit that a night ran at, or a tag or branch of the git "
            "checkout here.",
        ),
    ] = None,
    profile: ProfileOpt = None,
    nights: Annotated[
        Path,
        typer.Option(envvar="BENCH_NIGHTS", help="Folder with one results folder per night."),
    ] = Path("nights"),
    format: Annotated[str, typer.Option("--format", "-f", help="terminal, md or json.")] = "terminal",
    json: JsonOpt = False,
) -> None:
    """Judge the newest night by those before it. Scores, and seconds and memory of stages.

    Exit codes: 0 nothing got worse; 3 something did; 2 wrong usage.
    """
    from bench.cli.commands.compare import judge_nights

    raise typer.Exit(judge_nights(suite, profile, since, nights, "json" if json else format))


@app.command()
def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Results of other machines: folders with suites.")
    ],
    results: ResultsOpt = DEFAULT_RESULTS,
    json: JsonOpt = False,
) -> None:
    """Join results of several machines into one folder. In any order; names what contradicts.

    Exit codes: 0 all agree; 1 records contradict or are damaged; 2 wrong usage.
    """
    from bench.cli.commands.merge import merge_results

    raise typer.Exit(merge_results(folders, results, as_json=json))
