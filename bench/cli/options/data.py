"""Options of `bench data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options.declare import options_class
from bench.cli.options.groups import DataOpt, JsonOpt

_NameArg = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a dataset, or a Python file that holds it.")
]
_RootArg = Annotated[
    Path | None, typer.Argument(metavar="[ROOT]", help="Its folder.  [default: $BENCH_DATA/NAME]")
]
_SetOpt = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the dataset, as in a suite; repeatable."),
]


@options_class
class ListDataOptions:
    """Options of `bench data list`."""

    data: DataOpt = None
    json: JsonOpt = False


@options_class
class DescribeDataOptions:
    """Options of `bench data describe`."""

    name: _NameArg
    data: DataOpt = None
    json: JsonOpt = False


@options_class
class DownloadOptions:
    """Options of `bench data download`."""

    name: _NameArg
    out: Annotated[Path | None, typer.Option("--out", help="Target folder.  [default: $BENCH_DATA/NAME]")] = (
        None
    )
    part: Annotated[
        list[str] | None,
        typer.Option("--part", help="Only this part; repeatable. Unless given: all that are not optional."),
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the commands, sizes and licence.")
    ] = False
    data: DataOpt = None
    json: JsonOpt = False


@options_class
class VerifyDataOptions:
    """Options of `bench data verify`."""

    name: _NameArg
    root: _RootArg = None
    settings: _SetOpt = None
    data: DataOpt = None
    json: JsonOpt = False


@options_class
class SynthesizeOptions:
    """Options of `bench data synthesize`."""

    name: _NameArg
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New or empty folder.")]
    images: Annotated[int, typer.Option("--images", min=1, help="Number of images.")]
    seed: Annotated[int, typer.Option("--seed", help="Seed of the generated data.")]
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the generator; repeatable."),
    ] = None
    json: JsonOpt = False


@options_class
class ShowDataOptions:
    """Options of `bench data show`."""

    name: _NameArg
    root: _RootArg = None
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder, or a PNG file.  [default: NAME-sheets]")
    ] = None
    by: Annotated[
        str | None, typer.Option("--by", help="Column to group by.  [default: label, else the group]")
    ] = None
    per: Annotated[
        int | None, typer.Option("--per", min=1, max=500, help="Images per class.  [default: 12, or 48]")
    ] = None
    size: Annotated[int, typer.Option("--size", min=16, max=512, help="Side of an image, in px.")] = 72
    settings: _SetOpt = None
    data: DataOpt = None
    json: JsonOpt = False


@options_class
class DuplicatesOptions:
    """Options of `bench data duplicates`."""

    name: _NameArg
    root: _RootArg = None
    settings: _SetOpt = None
    distance: Annotated[
        float | None,
        typer.Option("--distance", help="Largest rms difference of near duplicates, in grey levels of 256."),
    ] = None
    data: DataOpt = None
    json: JsonOpt = False
