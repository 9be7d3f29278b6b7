"""The command line. Declares commands; imports what they do only when one runs."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from bench.cli import data_app, files_app, runs_app
from bench.cli.figure_help import FigureCommand
from bench.cli.options.declare import command
from bench.cli.options.files import DescribeOptions, ListOptions, NewOptions, TestOptions
from bench.cli.options.reports import FigureOptions, SiteOptions, TableOptions, TablesOptions
from bench.cli.options.suites import (
    CheckOptions,
    GcOptions,
    PlanOptions,
    RunOptions,
    ShowOptions,
    StatusOptions,
    VerifyOptions,
)
from bench.errors import CutjoinError, DiskFull, RunBrokenOff

app = typer.Typer(
    name="bench",
    help="The benchmark for grouping microscopy images without labels.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_app.app, name="data")
app.add_typer(runs_app.app)
app.add_typer(files_app.app)


def _version(requested: bool) -> None:
    if requested:
        from bench.util.environment import installations

        used, *others = installations()
        typer.echo(f"cutjoin {used}")
        for other in others:
            typer.echo(f"also installed, not in use: {other}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and where it is installed."
        ),
    ] = False,
) -> None:
    """The benchmark for grouping microscopy images without labels."""


@command(app)
def run(options: RunOptions) -> int:
    """Run a suite. Every planned cell ends as one record; running again continues.

    Exit codes: 0 all cells have scores; 1 some failed; 2 the suite or command
    line is wrong and nothing ran; 4 the disk is full, or 5 the system refused
    something else while it ran: what is finished is kept; 130 interrupted.
    """
    from bench.cli.commands.run import run_suite

    return run_suite(options)


@command(app)
def plan(options: PlanOptions) -> None:
    """Show what a run would do. Counts cells that are cached, to do or blocked; changes nothing."""
    from bench.cli.commands.plan import show_plan

    show_plan(options)


@command(app)
def check(options: CheckOptions) -> int:
    """Check a suite before running it. Looks at file, libraries, data, copies of images, disk space."""
    from bench.cli.commands.check import check_suite

    return check_suite(options)


@command(app)
def status(options: StatusOptions) -> int:
    """Count the cells of the last run by status. Lists those that failed, with the reason."""
    from bench.cli.commands.inspect import show_status

    return show_status(options)


@command(app)
def table(options: TableOptions) -> None:
    """Draw the leaderboard or a table of the suite. From the records; also beside what was published."""
    if options.against is not None:
        from bench.cli.commands.against import show_against

        show_against(options)
        return
    from bench.cli.commands.table import show_table

    show_table(options)


@command(app)
def tables(options: TablesOptions) -> int:
    """Write every table that suites declare. Each also beside the published one that it names.

    Exit code 1 if a table is missing or incomplete; the output says which and why.
    """
    from bench.cli.commands.tables import write_tables

    return write_tables(options)


@command(app, cls=FigureCommand)
def figure(options: FigureOptions) -> None:
    """Draw figures of one cell. From its record and the store, as PNG and SVG; animations as GIF."""
    from bench.cli.commands.figure import draw_figures

    draw_figures(options)


@command(app)
def site(options: SiteOptions) -> None:
    """Write a web page that opens from disk. Leaderboards, and for each method maps, images, provenance."""
    from bench.cli.commands.site import write_site

    write_site(options)


@command(app)
def show(options: ShowOptions) -> None:
    """Show one record: scores, parameters, stages, provenance."""
    from bench.cli.commands.inspect import show_cell

    show_cell(options)


@command(app, "list")
def list_(options: ListOptions) -> None:
    """List suites, metrics, adapters, figures and table formats."""
    from bench.cli.commands.describe import list_all

    list_all(options)


@command(app)
def describe(options: DescribeOptions) -> None:
    """Describe an adapter, its network, a metric or a figure. Parameters, types, units, defaults; source."""
    if options.layers is not None:
        from bench.cli.commands.layers import show_layers

        show_layers(options)
        return
    from bench.cli.commands.describe import describe_one

    describe_one(options)


@command(app)
def new(options: NewOptions) -> None:
    """Write a commented file to start from. An adapter, metric, figure or table format; replaces no file."""
    from bench.cli.commands.new import write_new

    write_new(options)


@command(app)
def test(options: TestOptions) -> int:
    """Check an adapter or a metric as those that ship are checked. On small generated images.

    Exit codes: 0 all checks passed, or do not apply; 1 some failed; 2 it
    cannot be loaded.
    """
    from bench.cli.commands.test import test_one

    return test_one(options)


@app.command()
def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    from bench.cli.commands.describe import print_schema

    print_schema()


@command(app)
def verify(options: VerifyOptions) -> int:
    """Name damaged records and artefacts. Reads every byte; exit code 1 if anything is damaged."""
    from bench.cli.commands.upkeep import verify_all

    return verify_all(options)


@command(app)
def gc(options: GcOptions) -> int:
    """Remove old artefacts from the store. Records are never touched; what is needed again is recomputed."""
    from bench.cli.commands.upkeep import collect

    return collect(options)


def main() -> None:
    """Entry point: one clear sentence and exit code 2 for what the user can put right."""
    if not sys.warnoptions:  # Python hides these outside __main__; authors of adapter files should see them
        warnings.filterwarnings("default", category=DeprecationWarning, module="cutjoin_local_")
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # e.g. `bench list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (CutjoinError, OSError) as e:  # of the operating system: full disks, missing permissions
        from bench.util.durable import explained, is_full

        text = str(e) if isinstance(e, CutjoinError) else explained(e)
        for line in text.splitlines():
            print(f"bench: {line}", file=sys.stderr)
        full = isinstance(e, DiskFull) or (isinstance(e, OSError) and is_full(e))
        sys.exit(4 if full else 5 if isinstance(e, RunBrokenOff) else 2)
