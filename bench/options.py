"""Options that several groups of commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOpt = Annotated[
    Path | None, typer.Option("--data", envvar="BENCH_DATA", help="Folder with one folder per dataset.")
]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
