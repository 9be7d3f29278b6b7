"""`bench data`: declares its commands; imports what they do only when one runs."""

from __future__ import annotations

import typer

from bench.cli.options.data import (
    DescribeDataOptions,
    DownloadOptions,
    DuplicatesOptions,
    ListDataOptions,
    ShowDataOptions,
    SynthesizeOptions,
    VerifyDataOptions,
)
from bench.cli.options.declare import command

app = typer.Typer(help="Get, check, generate and look at datasets.", no_args_is_help=True)


@command(app, "list")
def list_(options: ListDataOptions) -> None:
    """List the datasets. What is here, licence, size of the download, whether stand-ins can be generated."""
    from bench.cli.commands.data import list_datasets

    list_datasets(options)


@command(app)
def describe(options: DescribeDataOptions) -> None:
    """Describe a dataset. Layout, parameters, where it comes from, what is here."""
    from bench.cli.commands.data import describe_dataset

    describe_dataset(options)


@command(app)
def download(options: DownloadOptions) -> int:
    """Fetch a dataset from its official source. Resumes, verifies checksums, unpacks into the target folder.

    Exit code 2 where no public source exists; it then prints what to put where.
    """
    from bench.cli.commands.download import download_dataset

    return download_dataset(options)


@command(app)
def verify(options: VerifyDataOptions) -> int:
    """Decode and count everything. Compares with the known numbers of the real data.

    Exit codes: 0 all is well; 1 a number differs or an image is bad; 2 the layout is missing.
    """
    from bench.cli.commands.verify import verify_dataset

    return verify_dataset(options)


@command(app)
def synthesize(options: SynthesizeOptions) -> None:
    """Generate a stand-in in the dataset's layout. A file SYNTHETIC.json marks it as such."""
    from bench.cli.commands.data import synthesize_stand_in

    synthesize_stand_in(options)


@command(app)
def show(options: ShowDataOptions) -> None:
    """Draw contact sheets. A row per class with its name, its count and images spread over it."""
    from bench.cli.commands.show import show_dataset

    show_dataset(options)


@command(app)
def duplicates(options: DuplicatesOptions) -> None:
    """Find copies of images. Turned or nearly so as well, and those with two labels."""
    from bench.cli.commands.duplicates import show_duplicates

    show_duplicates(options)
