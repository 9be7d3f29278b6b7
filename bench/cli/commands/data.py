"""`bench data list`, `describe` and `synthesize`."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.adapters import registry
from bench.adapters.origin import STAND_IN_MARKER, Download, Origin, stand_in_marker
from bench.cli.commands.describe import about_adapter, describe_one
from bench.cli.progress import Progress, human
from bench.cli.settings import configured, dataset_class, default_folder
from bench.errors import DataError
from bench.interfaces import Dataset, Generator, Run


def list_datasets(data: Path | None, *, as_json: bool) -> None:
    """Print every dataset: summary, where it is, licence, size of the download, generator."""
    rows = [_listed(e.name, e.summary, data) for e in registry.entries("dataset")]
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']}  {_here(row)}")
        print(f"  {row['summary']}")
        facts = [f"licence: {row['licence']}"] if row["licence"] else []
        facts += [f"download: {row['download']}"] if row["licence"] else ["no particular dataset"]
        facts += [f"stand-ins: {row['generator']}" if row["generator"] else "no stand-ins"]
        print(textwrap.fill("; ".join(facts), 100, initial_indent="  ", subsequent_indent="    "))
    if data is None:
        print("Set BENCH_DATA (or --data) to see which of them are here.")


def describe_dataset(name: str, data: Path | None, *, as_json: bool) -> None:
    """Print layout and parameters of a dataset, where it comes from, and whether it is here."""
    cls = dataset_class(name)
    folder = default_folder(name, data)
    here = _found(folder)
    if as_json:
        print(json.dumps({**about_adapter("dataset", cls), **here, "origin": origin_facts(cls.origin)}))
        return
    describe_one("dataset", name, as_json=False)
    print(f"\n  {_here(here)}")
    print(f"  stand-ins: {cls.generator or 'none can be generated'}")
    print_origin(cls)


def synthesize_stand_in(
    name: str, out: Path, images: int, seed: int, settings: Sequence[str], *, as_json: bool
) -> None:
    """Generate a stand-in in `out`, a new or empty folder, with a marker that says what it is.

    Raises `DataError` if the dataset has no generator, or `out` holds anything.
    """
    cls = dataset_class(name)
    if not cls.generator:
        raise DataError(f"dataset {name!r} has no generator of stand-ins")
    made = registry.load("generator", cls.generator)
    assert issubclass(made, Generator)
    generator = configured(made, settings, {"images": images, "seed": seed})
    if out.is_symlink() or (out.exists() and not out.is_dir()) or (out.is_dir() and any(out.iterdir())):
        raise DataError(f"{out}: is there and is no empty folder; a stand-in gets a folder of its own")
    facts: dict[str, Any] = {
        "about": "generated stand-in: none of these images is real",
        "dataset": name,
        "generator": generator.use,
        "identity": registry.identity(made),
        "parameters": generator.model_dump(mode="json"),
    }
    _write(generator, out, json.dumps(facts, indent=1) + "\n", seed)
    if as_json:
        print(json.dumps({**facts, "root": str(out)}))
    else:
        print(f"{out}: a generated stand-in for {name} (see {STAND_IN_MARKER}); no image in it is real")


def print_origin(cls: type[Dataset]) -> None:
    """Print licence, parts with sizes and sums, and what is to be done by hand."""
    origin = cls.origin
    if origin is None:
        print("  origin: none; this is a layout, no particular dataset")
        return
    print(f"  licence: {origin.licence}")
    for part in origin.parts:
        size = human(part.size) if part.size is not None else "size unknown"
        optional = ", only if asked for" if part.optional else ""
        print(f"  part {part.name}: {size}{optional}{', unpacked' if part.unpack else ''}")
        print(f"      {part.url or ' '.join(part.command)}")
        for line in filter(None, (part.md5 and f"md5 {part.md5}", part.note)):
            print(f"      {line}")
    if origin.by_hand:
        print(textwrap.fill(f"by hand: {origin.by_hand}", 100, initial_indent="  ", subsequent_indent="    "))


def origin_facts(origin: Origin | None) -> dict[str, Any] | None:
    """Return an origin as plain values."""
    if origin is None:
        return None
    parts = [vars(p) | {"command": list(p.command)} for p in origin.parts]
    return {"licence": origin.licence, "by_hand": origin.by_hand, "parts": parts}


def total_size(parts: Sequence[Download]) -> str:
    """Say how much parts are together, as far as that is known."""
    known = sum(p.size or 0 for p in parts)
    unknown = [p.name for p in parts if p.size is None]
    if not unknown:
        return human(known)
    return (f"{human(known)} and " if known else "") + f"{', '.join(unknown)} of unknown size"


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
