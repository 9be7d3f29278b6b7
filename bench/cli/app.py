"""The command line. Declares commands; imports what they do only when one runs."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import data_app, files_app, runs_app
from bench.cli.options import DEFAULT_RESULTS, DataOpt, JsonOpt, ProfileOpt, ResultsOpt, StoreOpt, SuiteArg
from bench.errors import CutjoinError

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


def _version(wanted: bool) -> None:
    if wanted:
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


@app.command()
def run(
    suite: SuiteArg,
    profile: ProfileOpt = None,
    data: DataOpt = None,
    results: ResultsOpt = DEFAULT_RESULTS,
    store: StoreOpt = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once.  [default: one per core]")
    ] = None,
    retry: Annotated[
        str, typer.Option(help="Statuses of finished cells to run again, e.g. error,timeout; or failed.")
    ] = "",
    only: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Run one cell, also if it has finished: its key in a record or plan, or how that begins.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
    json: JsonOpt = False,
) -> None:
    """Run a suite. Every planned cell ends as one record; running again continues.

    Exit codes: 0 all cells have scores; 1 some failed; 2 the suite or command
    line is wrong and nothing ran; 130 interrupted.
    """
    from bench.cli.commands.run import run_suite

    raise typer.Exit(
        run_suite(
            suite, profile, data, results, _store(store), jobs, retry, only, device, quiet=quiet, as_json=json
        )
    )


@app.command()
def plan(
    suite: SuiteArg,
    profile: ProfileOpt = None,
    data: DataOpt = None,
    results: ResultsOpt = DEFAULT_RESULTS,
    store: StoreOpt = None,
    json: JsonOpt = False,
) -> None:
    """Show what a run would do. Counts cells that are cached, to do or blocked; changes nothing."""
    from bench.cli.commands.plan import show_plan

    show_plan(suite, profile, data, results, _store(store), as_json=json)


@app.command()
def check(
    suite: SuiteArg,
    profile: ProfileOpt = None,
    data: DataOpt = None,
    store: StoreOpt = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates/--no-duplicates", help="Decode every image and look for copies.")
    ] = True,
    json: JsonOpt = False,
) -> None:
    """Check a suite before running it. Looks at file, libraries, data, copies of images, disk space."""
    from bench.cli.commands.check import check_suite

    raise typer.Exit(check_suite(suite, profile, data, _store(store), duplicates=duplicates, as_json=json))


@app.command()
def status(
    suite: SuiteArg, profile: ProfileOpt = None, results: ResultsOpt = DEFAULT_RESULTS, json: JsonOpt = False
) -> None:
    """Count the cells of the last run by status. Lists those that failed, with the reason."""
    from bench.cli.commands.inspect import show_status

    raise typer.Exit(show_status(suite, profile, results, as_json=json))


@app.command()
def table(
    suite: SuiteArg,
    profile: ProfileOpt = None,
    results: ResultsOpt = DEFAULT_RESULTS,
    table: Annotated[
        str | None, typer.Option("--table", help="Id of a table that the suite declares.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="`paper`, for the published tables that the suite names, or the name of one."),
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", "-f", help="terminal, md, csv, latex, html, json."),
    ] = "terminal",
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Also compare all pairs of methods by a paired test.")
    ] = False,
    store: StoreOpt = None,
    json: JsonOpt = False,
) -> None:
    """Draw the leaderboard or a table of the suite. From the records; also beside what was published."""
    format = "json" if json else format
    if against is not None:
        from bench.cli.commands.against import show_against

        show_against(suite, profile, results, table, against, format, _store(store))
        return
    from bench.cli.commands.table import show_table

    show_table(suite, profile, results, table, format, _store(store), pairs=pairs)


@app.command()
def tables(
    suites: Annotated[list[str] | None, typer.Argument(metavar="[SUITE]...")] = None,
    profile: ProfileOpt = None,
    results: ResultsOpt = DEFAULT_RESULTS,
    every: Annotated[bool, typer.Option("--all", help="Of every suite with results.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Gets a folder per suite.  [default: tables/ in the results of each]"),
    ] = None,
    format: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help="md, csv, latex, html, json; may repeat.  [default: all]"),
    ] = None,
    store: StoreOpt = None,
    json: JsonOpt = False,
) -> None:
    """Write every table that suites declare. Each also beside the published one that it names.

    Exit code 1 if a table is missing or not whole; what and why is said.
    """
    from bench.cli.commands.tables import write_tables

    raise typer.Exit(
        write_tables(
            suites or [], profile, results, out, format or [], _store(store), every=every, as_json=json
        )
    )


@app.command()
def figure(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="attention, similarity, map, montage, frequencies, reliability, clusters, curves, "
            "precision_recall, feature_maps, critical_difference; or all.",
        ),
    ],
    suite: SuiteArg,
    profile: ProfileOpt = None,
    dataset: Annotated[str | None, typer.Option(help="Unless given, the first of the suite.")] = None,
    method: Annotated[str | None, typer.Option(help="Unless given, the best that allows the figure.")] = None,
    seed: Annotated[int | None, typer.Option(help="Unless given, the first with scores.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Another method to stand beside: attention, reliability, curves, precision_recall."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Column to colour or count by: map, frequencies; or metric: critical_difference."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files.  [default: figures/ in the suite's results]")
    ] = None,
    results: ResultsOpt = DEFAULT_RESULTS,
    store: StoreOpt = None,
    json: JsonOpt = False,
) -> None:
    """Draw figures of one cell. From its record and the store, as PNG and SVG; animations as GIF."""
    from bench.cli.commands.figure import Wish, draw_figures

    wish = Wish(dataset, method, seed, against, by)
    draw_figures(kind, suite, profile, results, _store(store), wish, out, as_json=json)


@app.command()
def site(
    suites: Annotated[
        list[str], typer.Argument(metavar="SUITE...", help="Suites that have run: names, or YAML files.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the page; empty, or of an earlier build.")] = Path(
        "site"
    ),
    profile: ProfileOpt = None,
    map: Annotated[
        str, typer.Option(help="How features become a plane: pca, in seconds; umap, minutes per seed.")
    ] = "pca",
    max_points: Annotated[
        int, typer.Option(min=1, max=200_000, help="Images on a map; of more, a sample is drawn.")
    ] = 30_000,
    results: ResultsOpt = DEFAULT_RESULTS,
    store: StoreOpt = None,
    json: JsonOpt = False,
) -> None:
    """Write a web page that opens from disk. Leaderboards, and for each method maps, images, provenance."""
    from bench.cli.commands.site import write_site

    write_site(suites, profile, results, _store(store), out, map, max_points, as_json=json)


@app.command()
def show(
    cell: Annotated[
        str, typer.Argument(metavar="CELL", help="The first characters of a cell's key, or its file.")
    ],
    results: ResultsOpt = DEFAULT_RESULTS,
    json: JsonOpt = False,
) -> None:
    """Show one record: scores, parameters, stages, provenance."""
    from bench.cli.commands.inspect import show_cell

    show_cell(cell, results, as_json=json)


@app.command(name="list")
def list_(
    kind: Annotated[str | None, typer.Argument(help="suite, metric, dataset, encoder, clusterer...")] = None,
    json: JsonOpt = False,
) -> None:
    """List suites, metrics and adapters."""
    from bench.cli.commands.describe import list_all

    list_all(kind, as_json=json)


@app.command()
def describe(
    kind: Annotated[str, typer.Argument(help="metric, dataset, generator, encoder, reducer, clusterer...")],
    name: Annotated[str, typer.Argument(help="Its name, or a Python file that holds it.")],
    layers: Annotated[
        str | None, typer.Option(metavar="CxHxW", help="Build an encoder's network for images, e.g. 3x64x64.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="With --layers: a parameter, as in a suite."),
    ] = None,
    json: JsonOpt = False,
) -> None:
    """Describe an adapter, its network, or a metric. Parameters with types, units, defaults; source."""
    if layers is not None:
        from bench.cli.commands.layers import show_layers

        show_layers(kind, name, layers, set_ or [], as_json=json)
        return
    from bench.cli.commands.describe import describe_one

    describe_one(kind, name, as_json=json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of suite files, for editors."""
    from bench.cli.commands.describe import print_schema

    print_schema()


@app.command()
def verify(
    suites: Annotated[
        list[str] | None, typer.Argument(metavar="[SUITE]...", help="Unless given, all.")
    ] = None,
    results: ResultsOpt = DEFAULT_RESULTS,
    store: StoreOpt = None,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Move what is damaged out of use.")
    ] = False,
    json: JsonOpt = False,
) -> None:
    """Name damaged records and artefacts. Reads every byte; exit code 1 if anything is damaged."""
    from bench.cli.commands.upkeep import verify_all

    raise typer.Exit(verify_all(suites or [], results, _store(store), quarantine=quarantine, as_json=json))


@app.command()
def gc(
    store: StoreOpt = None,
    unused_days: Annotated[
        float, typer.Option(min=0, help="Remove what was not used for so many days.")
    ] = 30.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: JsonOpt = False,
) -> None:
    """Remove old artefacts from the store. Records are never touched; what is needed again is recomputed."""
    from bench.cli.commands.upkeep import collect

    collect(_store(store), unused_days, dry_run=dry_run, as_json=json)


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
        for line in str(e).splitlines():
            print(f"bench: {line}", file=sys.stderr)
        sys.exit(2)


def _store(path: Path | None) -> Path:
    if path is not None:
        return path
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cutjoin"
