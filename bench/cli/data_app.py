"""`bench data`: declares its commands; imports what they do only when one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DataOpt, JsonOpt

app = typer.Typer(help="Get, check, generate and look at datasets.", no_args_is_help=True)

NameArg = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a dataset, or a Python file that holds it.")
]
RootArg = Annotated[
    Path | None, typer.Argument(metavar="[ROOT]", help="Its folder.  [default: $BENCH_DATA/NAME]")
]
SetOpt = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the dataset, as in a suite; repeatable."),
]


@app.command(name="list")
def list_(data: DataOpt = None, json: JsonOpt = False) -> None:
    """List the datasets. What is here, licence, size of the download, whether stand-ins can be generated."""
    from bench.cli.commands.data import list_datasets

    list_datasets(data, as_json=json)


@app.command()
def describe(name: NameArg, data: DataOpt = None, json: JsonOpt = False) -> None:
    """Describe a dataset. Layout, parameters, where it comes from, what is here."""
    from bench.cli.commands.data import describe_dataset

    describe_dataset(name, data, as_json=json)


@app.command()
def download(
    name: NameArg,
    out: Annotated[
        Path | None, typer.Option("--out", help="Target folder.  [default: $BENCH_DATA/NAME]")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", help="Only this part; repeatable. Unless given: all that are not optional."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the commands, sizes and licence.")
    ] = False,
    data: DataOpt = None,
    json: JsonOpt = False,
) -> None:
    """Fetch a dataset from its official source. Continues, checks sums, unpacks inside the target folder.

    Exit code 2 where no public source exists; it then says what to put where.
    """
    from bench.cli.commands.download import download_dataset

    raise typer.Exit(download_dataset(name, out, part or [], data, dry_run=dry_run, as_json=json))


@app.command()
def verify(
    name: NameArg, root: RootArg = None, set_: SetOpt = None, data: DataOpt = None, json: JsonOpt = False
) -> None:
    """Decode and count everything. Compares with the known numbers of the real data.

    Exit codes: 0 all is well; 1 a number differs or an image is bad; 2 the layout is not there.
    """
    from bench.cli.commands.verify import verify_dataset

    raise typer.Exit(verify_dataset(name, root, set_ or [], data, as_json=json))


@app.command()
def synthesize(
    name: NameArg,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New or empty folder.")],
    images: Annotated[int, typer.Option("--images", min=1, help="Number of images.")],
    seed: Annotated[int, typer.Option("--seed", help="Seed of the generated data.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the generator; repeatable."),
    ] = None,
    json: JsonOpt = False,
) -> None:
    """Generate a stand-in in the dataset's layout. A file SYNTHETIC.json marks it as such."""
    from bench.cli.commands.data import synthesize_stand_in

    synthesize_stand_in(name, out, images, seed, set_ or [], as_json=json)


@app.command()
def show(
    name: NameArg,
    root: RootArg = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder, or a PNG file.  [default: NAME-sheets]")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Column to group by.  [default: label, else the group]")
    ] = None,
    per: Annotated[
        int | None, typer.Option("--per", min=1, max=500, help="Images per class.  [default: 12, or 48]")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=16, max=512, help="Side of an image, in px.")] = 72,
    set_: SetOpt = None,
    data: DataOpt = None,
    json: JsonOpt = False,
) -> None:
    """Draw contact sheets. A row per class with its name, its count and images spread over it."""
    from bench.cli.commands.show import show_dataset

    show_dataset(name, root, out, by, per, size, set_ or [], data, as_json=json)


@app.command()
def duplicates(
    name: NameArg,
    root: RootArg = None,
    set_: SetOpt = None,
    distance: Annotated[
        float | None,
        typer.Option("--distance", help="Largest rms difference of near duplicates, in grey levels of 256."),
    ] = None,
    data: DataOpt = None,
    json: JsonOpt = False,
) -> None:
    """Find copies of images. Turned or nearly so as well, and those with two labels."""
    from bench.cli.commands.duplicates import show_duplicates
    from bench.cli.settings import data_folder

    show_duplicates(name, data_folder(name, root, data), set_ or [], distance=distance, as_json=json)
