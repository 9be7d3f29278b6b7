"""Commands about files of labels or costs, without a suite: declared here, imported when one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import JsonOpt

app = typer.Typer()


@app.command()
def score(
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="csv, npy or parquet; -1 or empty = unknown.")
    ],
    pred: Annotated[Path, typer.Argument(metavar="PRED", help="csv, npy or parquet; -1 = noise.")],
    noise: Annotated[str, typer.Option(help="own_cluster or drop.")] = "own_cluster",
    replicates: Annotated[
        int, typer.Option(min=0, max=100_000, help="Bootstrap replicates; 0 = no intervals.")
    ] = 1000,
    level: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Level of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    json: JsonOpt = False,
) -> None:
    """Score labels that were computed elsewhere."""
    from bench.cli.commands.score import score_files

    score_files(truth, pred, noise, replicates, level, seed, as_json=json)


@app.command()
def multicut(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE | verify FILE CERTIFICATE",
            help=".npy: costs (n, n); .npz: i, j, cost; .h5: join probabilities `affinities`.",
        ),
    ],
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="The file holds join probabilities, not costs.")
    ] = False,
    symmetrise: Annotated[
        bool, typer.Option("--symmetrise", help="Average both directions of an asymmetric matrix.")
    ] = False,
    prior: Annotated[
        float | None, typer.Option(help="Share of joins among all pairs, for balanced pair models.")
    ] = None,
    thresholds: Annotated[
        str | None,
        typer.Option(
            metavar="P,P,...",
            help="Solve once per probability at which a pair is indifferent, e.g. 0.1,0.3,0.5.",
        ),
    ] = None,
    solver: Annotated[
        str, typer.Option(help="greedy, exact, gurobi, highs; auto: exact up to 300 nodes and 60 s.")
    ] = "auto",
    time_limit: Annotated[float | None, typer.Option(min=0.0, help="Seconds for the exact solver.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the labels here, .npy: (n,), or (thresholds, n) of a sweep.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="Write the proof of the bound here, .npz.")] = None,
    json: JsonOpt = False,
) -> None:
    """Solve a multicut, or verify the proof of a solution.

    Positive costs want a join. The objective, to be maximised, is the sum of
    the costs of all pairs within clusters.
    """
    from bench.cli.commands.multicut import Output, Reading, solve_file, verify_file

    reading = Reading(probabilities, symmetrise, prior)
    if words[0] == "verify" and len(words) == 3:
        verify_file(Path(words[1]), Path(words[2]), reading, as_json=json)
    elif len(words) == 1 and words[0] != "verify":
        solve_file(
            Path(words[0]),
            reading,
            Output(out, certificate, json),
            solver=solver,
            time_limit=time_limit,
            thresholds=thresholds,
        )
    else:
        raise typer.BadParameter("FILE, or verify FILE CERTIFICATE, is wanted")
