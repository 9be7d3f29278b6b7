"""Options and groups of options that several commands share."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated

import typer

from bench.api.folders import DEFAULT_RESULTS, default_store
from bench.cli.options.declare import options_class

DataOpt = Annotated[
    Path | None, typer.Option("--data", envvar="BENCH_DATA", help="Folder with one folder per dataset.")
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
SuiteArg = Annotated[str, typer.Argument(metavar="SUITE", help="Name of a shipped suite, or a YAML file.")]
ProfileOpt = Annotated[str | None, typer.Option("--profile", "-p", help="Profile of the suite to apply.")]
StoreOpt = Annotated[
    Path,
    typer.Option(
        "--store",
        envvar="BENCH_STORE",
        help="Artefact store.  [default: ~/.cache/cutjoin]",
        default_factory=default_store,
        show_default=False,
    ),
]
ResultsOpt = Annotated[
    Path, typer.Option("--results", envvar="BENCH_RESULTS", help="Folder with one folder per suite.")
]


@options_class
class SuiteRef:
    """A suite, and a profile of it."""

    name: SuiteArg
    profile: ProfileOpt = None


@options_class
class Folders:
    """Folders results and artefacts are."""

    results: ResultsOpt = DEFAULT_RESULTS
    store: StoreOpt = field(default_factory=default_store)
