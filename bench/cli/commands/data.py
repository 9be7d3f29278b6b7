"""`bench data list`, `describe` and `synthesize`."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from bench.adapters import registry
from bench.adapters.origin import STAND_IN_MARKER, stand_in_marker
from bench.cli.adapters import about_adapter, print_adapter
from bench.cli.options.data import DescribeDataOptions, ListDataOptions, SynthesizeOptions
from bench.cli.origins import origin_facts, print_origin, total_size
from bench.cli.progress import Progress
from bench.cli.settings import configured, dataset_class, default_folder
from bench.errors import UsageError
from bench.interfaces import Generator, Run


def list_datasets(options: ListDataOptions) -> None:
    """Print every dataset: summary, where it is, licence, size of the download, generator."""
    rows = [_listed(e.name, e.summary, options.data) for e in registry.entries("dataset")]
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']}  {_here(row)}")
        print(f"  {row['summary']}")
        facts = [f"licence: {row['licence']}"] if row["licence"] else []
        facts += [f"download: {row['download']}"] if row["licence"] else ["not a particular dataset"]
        facts += [f"stand-ins: {row['generator']}" if row["generator"] else "no stand-ins"]
        print(textwrap.fill("; ".join(facts), 100, initial_indent="  ", subsequent_indent="    "))
    if options.data is None:
        print("Set BENCH_DATA (or --data) to see which of them are here.")


def describe_dataset(options: DescribeDataOptions) -> None:
    """Print layout and parameters of a dataset, where it comes from, and whether it is here."""
    cls = dataset_class(options.name)
    here = _found(default_folder(options.name, options.data))
    about = about_adapter("dataset", cls)
    if options.json:
        print(json.dumps({**about, **here, "origin": origin_facts(cls.origin)}))
        return
    print_adapter("dataset", about)
    print(f"\n  {_here(here)}")
    print(f"  stand-ins: {cls.generator or 'none can be generated'}")
    print_origin(cls)


def synthesize_stand_in(options: SynthesizeOptions) -> None:
    """Generate a stand-in in `out`, a new or empty folder, with a marker that says what it is.

    Raises `UsageError` if the dataset has no generator, or `out` holds anything.
    """
    name, out, seed = options.name, options.out, options.seed
    cls = dataset_class(name)
    if not cls.generator:
        raise UsageError(f"dataset {name!r} has no generator of stand-ins")
    made = registry.load("generator", cls.generator)
    assert issubclass(made, Generator)
    generator = configured(made, options.settings or (), {"images": options.images, "seed": seed})
    if out.is_symlink() or (out.exists() and not out.is_dir()) or (out.is_dir() and any(out.iterdir())):
        raise UsageError(f"{out}: exists and is not an empty folder; a stand-in needs its own")
    facts: dict[str, Any] = {
        "about": "generated stand-in: none of these images is real",
        "dataset": name,
        "generator": generator.use,
        "identity": registry.identity(made),
        "parameters": generator.model_dump(mode="json"),
    }
    _write(generator, out, json.dumps(facts, indent=1) + "\n", seed)
    if options.json:
        print(json.dumps({**facts, "root": str(out)}))
    else:
        print(f"{out}: a generated stand-in for {name} (see {STAND_IN_MARKER}); no image in it is real")


def _listed(name: str, summary: str, data: Path | None) -> dict[str, Any]:
    cls = dataset_class(name)
    origin = cls.origin
    taken = [p for p in origin.parts if not p.optional] if origin else []
    return {
        "name": name,
        "summary": summary,
        **_found(default_folder(name, data)),
        "licence": origin.licence if origin else "",
        "download": total_size(taken) if taken else "by hand" if origin else "",
        "generator": cls.generator,
    }


def _found(folder: Path | None) -> dict[str, Any]:
    there = folder is not None and folder.is_dir()
    return {
        "root": str(folder) if there else None,
        "stand_in": bool(folder and there and stand_in_marker(folder)),
    }


def _here(row: dict[str, Any]) -> str:
    if row["root"] is None:
        return "not here"
    return f"{row['root']}{' (GENERATED STAND-IN, not the data)' if row['stand_in'] else ''}"


def _write(generator: Generator, out: Path, marker: str, seed: int) -> None:
    """Generate beside `out` and move it there when it is whole, so that no part of it is ever unmarked."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.parent / f".{out.name}.{secrets.token_hex(4)}.tmp"
    data = beside / "data"
    data.mkdir(parents=True)
    try:
        (beside / STAND_IN_MARKER).write_text(marker)  # covers `data` while it is being written
        with Progress("images") as progress, tempfile.TemporaryDirectory() as checkpoints:
            log = logging.getLogger("bench.data")
            run = Run(seed % 2**32, 1, "cpu", "float32", log, Path(checkpoints), progress)
            generator.write(data, run)
        (data / STAND_IN_MARKER).write_text(marker)
        data.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
