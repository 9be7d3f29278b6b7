"""Options of the commands that draw tables, figures and pages, or compare runs."""

from __future__ import annotations

import pkgutil
from dataclasses import field
from pathlib import Path
from typing import Annotated

import typer

from bench.api.folders import DEFAULT_RESULTS, default_store
from bench.cli.options.declare import options_class
from bench.cli.options.groups import (
    Folders,
    JsonOpt,
    ProfileOpt,
    ResultsOpt,
    StoreOpt,
    SuiteArg,
    SuiteRef,
)
from bench.report.tables import formats


def _table_formats() -> list[str]:
    """Return the names of the table formats that ship, without importing any."""
    return sorted(module.name for module in pkgutil.iter_modules(formats.__path__))


_RegressionFormat = Annotated[str, typer.Option("--format", "-f", help="terminal, md or json.")]


@options_class
class TableOptions:
    """Options of `bench table`."""

    suite: SuiteRef
    results: ResultsOpt = DEFAULT_RESULTS
    table: Annotated[str | None, typer.Option("--table", help="Id of a table that the suite declares.")] = (
        None
    )
    against: Annotated[
        str | None,
        typer.Option(help="`paper`, for the published tables that the suite names, or the name of one."),
    ] = None
    format: Annotated[
        str,
        typer.Option("--format", "-f", help=f"{', '.join(_table_formats())}; or a Python file."),
    ] = "terminal"
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Also compare all pairs of methods by a paired test.")
    ] = False
    store: StoreOpt = field(default_factory=default_store)
    json: JsonOpt = False

    @property
    def chosen_format(self) -> str:
        """Name of the format, or a Python file that holds one."""
        return "json" if self.json else self.format


@options_class
class TablesOptions:
    """Options of `bench tables`."""

    suites: Annotated[list[str] | None, typer.Argument(metavar="[SUITE]...")] = None
    profile: ProfileOpt = None
    results: ResultsOpt = DEFAULT_RESULTS
    every: Annotated[bool, typer.Option("--all", help="Of every suite with results.")] = False
    out: Annotated[
        Path | None,
        typer.Option(help="Gets a folder per suite.  [default: tables/ in the results of each]"),
    ] = None
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format", "-f", help="As of `bench table`, but for terminal; may repeat.  [default: all]"
        ),
    ] = None
    store: StoreOpt = field(default_factory=default_store)
    json: JsonOpt = False


@options_class
class FigureOptions:
    """Options of `bench figure`."""

    kind: Annotated[
        str,
        typer.Argument(metavar="FIGURE", help="One of those below, a Python file that holds one; or all."),
    ]
    suite: SuiteRef
    dataset: Annotated[str | None, typer.Option(help="Unless given, the first of the suite.")] = None
    method: Annotated[str | None, typer.Option(help="Unless given, the best that allows the figure.")] = None
    seed: Annotated[int | None, typer.Option(help="Unless given, the first with scores.")] = None
    against: Annotated[
        str | None,
        typer.Option(help="Another method to put beside it, in figures that compare."),
    ] = None
    by: Annotated[
        str | None,
        typer.Option(help="Column to colour or count by; metric, for a figure of the whole suite."),
    ] = None
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files.  [default: figures/ in the suite's results]")
    ] = None
    folders: Folders = field(default_factory=Folders)
    json: JsonOpt = False


@options_class
class SiteOptions:
    """Options of `bench site`."""

    suites: Annotated[
        list[str], typer.Argument(metavar="SUITE...", help="Suites that have run: names, or YAML files.")
    ]
    out: Annotated[Path, typer.Option(help="Folder for the page; empty, or of an earlier build.")] = Path(
        "site"
    )
    profile: ProfileOpt = None
    map: Annotated[
        str, typer.Option(help="How features become a plane: pca, in seconds; umap, minutes per seed.")
    ] = "pca"
    max_points: Annotated[
        int, typer.Option(min=1, max=200_000, help="Images on a map; if there are more, a sample.")
    ] = 30_000
    folders: Folders = field(default_factory=Folders)
    json: JsonOpt = False


@options_class
class CompareOptions:
    """Options of `bench compare`."""

    before: Annotated[Path, typer.Argument(metavar="RUN_A", help="Results of a suite, e.g. results/mine.")]
    after: Annotated[Path, typer.Argument(metavar="RUN_B", help="Results to compare with those of RUN_A.")]
    time_ratio: Annotated[float, typer.Option(help="Ratio from which a stage counts as slower.")] = 1.5
    memory_ratio: Annotated[float, typer.Option(help="The same for its peak of memory.")] = 1.2
    format: _RegressionFormat = "terminal"
    json: JsonOpt = False

    @property
    def chosen_format(self) -> str:
        """Name of the format."""
        return "json" if self.json else self.format


@options_class
class RegressOptions:
    """Options of `bench regress`."""

    name: SuiteArg
    since: Annotated[
        str | None,
        typer.Option(
            metavar="REF|DATE",
            help="First night to count: a date, a commit that a night ran at, or a tag or branch of the git "
            "checkout here.",
        ),
    ] = None
    profile: ProfileOpt = None
    nights: Annotated[
        Path,
        typer.Option(envvar="BENCH_NIGHTS", help="Folder with one results folder per night."),
    ] = Path("nights")
    format: _RegressionFormat = "terminal"
    json: JsonOpt = False

    @property
    def chosen_format(self) -> str:
        """Name of the format."""
        return "json" if self.json else self.format

    @property
    def suite(self) -> SuiteRef:
        """The suite, and a profile of it."""
        return SuiteRef(name=self.name, profile=self.profile)
