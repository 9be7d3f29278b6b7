"""Options of the commands about files of labels or costs, and about what there is to use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options.declare import options_class
from bench.cli.options.groups import JsonOpt


@options_class
class ScoreOptions:
    """Options of `bench score`."""

    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="csv, npy or parquet; -1 or empty = unknown.")
    ]
    pred: Annotated[Path, typer.Argument(metavar="PRED", help="csv, npy or parquet; -1 = noise.")]
    noise: Annotated[str, typer.Option(help="own_cluster or drop.")] = "own_cluster"
    replicates: Annotated[
        int, typer.Option(min=0, max=100_000, help="Bootstrap replicates; 0 = no intervals.")
    ] = 1000
    level: Annotated[float, typer.Option(min=0.5, max=0.9999, help="Level of the intervals.")] = 0.95
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0
    json: JsonOpt = False


@options_class
class MulticutOptions:
    """Options of `bench multicut`."""

    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE | verify FILE CERTIFICATE",
            help=".npy: costs (n, n); .npz: i, j, cost; .h5: join probabilities `affinities`.",
        ),
    ]
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="The file holds join probabilities, not costs.")
    ] = False
    symmetrise: Annotated[
        bool, typer.Option("--symmetrise", help="Average both directions of an asymmetric matrix.")
    ] = False
    prior: Annotated[
        float | None, typer.Option(help="Share of joins among all pairs, for balanced pair models.")
    ] = None
    thresholds: Annotated[
        str | None,
        typer.Option(
            metavar="P,P,...",
            help="Solve once per probability at which a pair is indifferent, e.g. 0.1,0.3,0.5.",
        ),
    ] = None
    solver: Annotated[
        str, typer.Option(help="greedy, exact, gurobi, highs; auto: exact up to 300 nodes and 60 s.")
    ] = "auto"
    time_limit: Annotated[float | None, typer.Option(min=0.0, help="Seconds for the exact solver.")] = None
    out: Annotated[
        Path | None, typer.Option(help="Write the labels here, .npy: (n,), or (thresholds, n) of a sweep.")
    ] = None
    certificate: Annotated[Path | None, typer.Option(help="Write the proof of the bound here, .npz.")] = None
    json: JsonOpt = False


@options_class
class ListOptions:
    """Options of `bench list`."""

    kind: Annotated[str | None, typer.Argument(help="suite, metric, dataset, encoder, table_format...")] = (
        None
    )
    json: JsonOpt = False


@options_class
class NewOptions:
    """Options of `bench new`."""

    kind: Annotated[str, typer.Argument(help="encoder, clusterer, dataset, metric, table_format...")]
    name: Annotated[str, typer.Argument(help="Of the file, without .py; the class is named after it.")]
    out: Annotated[
        Path, typer.Option(help="Folder for the file.  [default: this one]", show_default=False)
    ] = Path()
    json: JsonOpt = False


@options_class
class TestOptions:
    """Options of `bench test`."""

    words: Annotated[
        list[str],
        typer.Argument(metavar="[KIND] NAME", help="A Python file, or a name, after its kind if need be."),
    ]
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter, as in a suite; repeat."),
    ] = None
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHECK", help="Run this check alone; repeat for more.")
    ] = None
    root: Annotated[Path | None, typer.Option(help="Data of a dataset that names no generator.")] = None
    images: Annotated[int, typer.Option(min=4, max=10_000, help="Number of images to try it on.")] = 96
    size: Annotated[int, typer.Option(min=4, max=1024, help="Side of these images, px.")] = 32
    limit: Annotated[float, typer.Option(min=1.0, help="Seconds that a check may take.")] = 120.0
    json: JsonOpt = False


@options_class
class DescribeOptions:
    """Options of `bench describe`."""

    kind: Annotated[str, typer.Argument(help="metric, dataset, generator, encoder, reducer, clusterer...")]
    name: Annotated[str, typer.Argument(help="Its name, or a Python file that holds it.")]
    layers: Annotated[
        str | None, typer.Option(metavar="CxHxW", help="Build an encoder's network for images, e.g. 3x64x64.")
    ] = None
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="With --layers: a parameter, as in a suite."),
    ] = None
    json: JsonOpt = False
