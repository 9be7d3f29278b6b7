"""Options of the commands that run a suite, or say what a run would do or did."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated

import typer

from bench.api.folders import DEFAULT_RESULTS, default_store
from bench.cli.options.declare import options_class
from bench.cli.options.groups import (
    DataOpt,
    Folders,
    JsonOpt,
    ResultsOpt,
    StoreOpt,
    SuiteRef,
)


@options_class
class RunOptions:
    """Options of `bench run`."""

    suite: SuiteRef
    data: DataOpt = None
    folders: Folders = field(default_factory=Folders)
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once.  [default: one per core]")
    ] = None
    retry: Annotated[
        str, typer.Option(help="Statuses of finished cells to run again, e.g. error,timeout; or failed.")
    ] = ""
    only: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Run one cell, also if it has finished: its key in a record or plan, or how that begins.",
        ),
    ] = None
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto"
    executor: Annotated[
        str, typer.Option(help="What runs the stages: a name of `bench list executor`, or a Python file.")
    ] = "local"
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False
    json: JsonOpt = False


@options_class
class PlanOptions:
    """Options of `bench plan`."""

    suite: SuiteRef
    data: DataOpt = None
    folders: Folders = field(default_factory=Folders)
    json: JsonOpt = False


@options_class
class CheckOptions:
    """Options of `bench check`."""

    suite: SuiteRef
    data: DataOpt = None
    store: StoreOpt = field(default_factory=default_store)
    duplicates: Annotated[
        bool, typer.Option("--duplicates/--no-duplicates", help="Decode every image and look for copies.")
    ] = True
    json: JsonOpt = False


@options_class
class StatusOptions:
    """Options of `bench status`."""

    suite: SuiteRef
    results: ResultsOpt = DEFAULT_RESULTS
    json: JsonOpt = False


@options_class
class ShowOptions:
    """Options of `bench show`."""

    cell: Annotated[
        str, typer.Argument(metavar="CELL", help="The first characters of a cell's key, or its file.")
    ]
    results: ResultsOpt = DEFAULT_RESULTS
    json: JsonOpt = False


@options_class
class VerifyOptions:
    """Options of `bench verify`."""

    suites: Annotated[list[str] | None, typer.Argument(metavar="[SUITE]...", help="Unless given, all.")] = (
        None
    )
    folders: Folders = field(default_factory=Folders)
    quarantine: Annotated[bool, typer.Option("--quarantine", help="Move what is damaged out of use.")] = False
    json: JsonOpt = False


@options_class
class GcOptions:
    """Options of `bench gc`."""

    store: StoreOpt = field(default_factory=default_store)
    unused_days: Annotated[
        float, typer.Option(min=0, help="Remove what was not used for this many days.")
    ] = 30.0
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be removed.")] = False
    json: JsonOpt = False


@options_class
class MergeOptions:
    """Options of `bench merge`."""

    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Results of other machines: folders with suites.")
    ]
    results: ResultsOpt = DEFAULT_RESULTS
    json: JsonOpt = False
