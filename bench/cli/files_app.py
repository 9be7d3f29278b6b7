"""Commands about files of labels or costs, without a suite: declared here, imported when one runs."""

from __future__ import annotations

from pathlib import Path

import typer

from bench.cli.options.declare import command
from bench.cli.options.files import MulticutOptions, ScoreOptions

app = typer.Typer()


@command(app)
def score(options: ScoreOptions) -> None:
    """Score labels that were computed elsewhere."""
    from bench.cli.commands.score import score_files

    score_files(options)


@command(app)
def multicut(options: MulticutOptions) -> None:
    """Solve a multicut, or verify the proof of a solution.

    Positive costs want a join. The objective, to be maximised, is the sum of
    the costs of all pairs within clusters.
    """
    from bench.cli.commands.multicut import Output, Reading, solve_file, verify_file

    words = options.words
    reading = Reading(options.probabilities, options.symmetrise, options.prior)
    if words[0] == "verify" and len(words) == 3:
        verify_file(Path(words[1]), Path(words[2]), reading, as_json=options.json)
    elif len(words) == 1 and words[0] != "verify":
        solve_file(
            Path(words[0]),
            reading,
            Output(options.out, options.certificate, options.json),
            solver=options.solver,
            time_limit=options.time_limit,
            thresholds=options.thresholds,
        )
    else:
        raise typer.BadParameter("expected FILE, or verify FILE CERTIFICATE")
