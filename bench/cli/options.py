"""Options that several groups of commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOpt = Annotated[
    Path | None, typer.Option("--data", envvar="BENCH_DATA", help="Folder with one folder per dataset.")
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
SuiteArg = Annotated[str, typer.Argument(metavar="SUITE", help="Name of a shipped suite, or a YAML file.")]
ProfileOpt = Annotated[
    str | None, typer.Option("--profile", "-p", help="Profile of the suite to lay over it.")
]
StoreOpt = Annotated[
    Path | None,
    typer.Option("--store", envvar="BENCH_STORE", help="Artefact store.  [default: ~/.cache/cutjoin]"),
]
ResultsOpt = Annotated[
    Path, typer.Option("--results", envvar="BENCH_RESULTS", help="Folder with one folder per suite.")
]
DEFAULT_RESULTS = Path("results")
