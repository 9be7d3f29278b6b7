"""`bench data verify`: decode every image of a dataset and compare it with the known numbers."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.adapters.origin import Check, stand_in_marker
from bench.cli.console import wide_console
from bench.cli.options.data import VerifyDataOptions
from bench.cli.progress import Progress
from bench.cli.settings import data_folder, dataset
from bench.images import BadImage, ImageSet
from bench.interfaces import NO_FILES, NOT_READ, Json
from bench.util.parallel import in_order

_BLOCK = 16
"""Neighbours that a thread decodes at a time: they may share a file."""
_SHOWN = 20
_MANY_VALUES = 2000
"""Columns with more distinct values, such as names of wells, are not counted value by value."""


@dataclass(frozen=True)
class DecodeResult:
    """What decoding every image found."""

    bad: Sequence[tuple[str, str]]
    """(where, why) of each image that cannot be used."""
    height: tuple[int, int] | None
    """Smallest and largest, px; None if no image is usable."""
    width: tuple[int, int] | None
    values: tuple[int, int] | None
    """Smallest and largest pixel value."""


def verify_dataset(options: VerifyDataOptions) -> int:
    """Print counts, bad images and the comparison with known numbers; return 1 if a check fails.

    Raises `DataError` if the layout is missing.
    """
    name = options.name
    adapter = dataset(name, options.settings or ())
    folder = data_folder(name, options.root, options.data)
    images = adapter.open(folder)
    files = adapter.files(folder)
    marker = stand_in_marker(folder, files)
    with Progress("images") as progress:
        reading = read_all(images, progress)
    repeated = int(images.table["id"].duplicated().sum())
    checks = [*_own_checks(repeated), *adapter.checks(folder, images)]
    facts = {
        "dataset": name,
        "root": str(folder),
        "stand_in": str(marker) if marker else None,
        "ok": not reading.bad and all(c.ok for c in checks) and len(images.table) > 0,
        "images": len(images.table),
        "channels": images.channels,
        "dtype": np.dtype(images.dtype).name,
        "files": len(files),
        "bytes": sum(f.stat().st_size for f in files),
        **{k: v for k, v in asdict(reading).items() if k != "bad"},
        "distinct": {str(c): int(images.table[c].nunique()) for c in images.table.columns},
        "counts": counts(images),
        "bad_images": [{"where": where, "why": why} for where, why in reading.bad],
        "notes": dict(images.notes),
        "checks": [{**asdict(c), "ok": c.ok} for c in checks],
    }
    if options.json:
        print(json.dumps(facts))
    else:
        _print(facts, checks)
    return 0 if facts["ok"] else 1


def read_all(images: ImageSet, report: Progress) -> DecodeResult:
    """Decode every image once, with all cores."""
    n = len(images.table)
    bad: list[tuple[str, str]] = []
    spans: list[tuple[int, int, int, int]] = []
    for row, result in enumerate(_decoded(images, n)):
        if isinstance(result, BadImage):
            where = images.where(row)
            bad.append((where, str(result).removeprefix(f"{where}: ")))
        else:
            spans.append(result)
        report(row + 1, n, "images decoded")
    if not spans:
        return DecodeResult(bad, None, None, None)
    height, width, low, high = zip(*spans, strict=True)
    return DecodeResult(bad, (min(height), max(height)), (min(width), max(width)), (min(low), max(high)))


def counts(images: ImageSet) -> dict[str, dict[str, int]]:
    """Count the images of each value of every column of not too many; missing values as "(none)"."""
    found = {}
    for column in images.table.columns:
        if column != "id" and images.table[column].nunique() <= _MANY_VALUES:
            values = images.table[column].astype(object).where(images.table[column].notna(), "(none)")
            found[str(column)] = dict(sorted(Counter(map(str, values)).items()))
    return found


def _decoded(images: ImageSet, n: int) -> Iterator[tuple[int, int, int, int] | BadImage]:
    """Yield height, width, smallest and largest value of the images in order, or why one is bad."""

    def block(start: int) -> list[tuple[int, int, int, int] | BadImage]:
        rows = range(start, min(start + _BLOCK, n))
        return [_span(images, row, image) for row, image in zip(rows, images.read_many(rows), strict=True)]

    for results in in_order(block, range(0, n, _BLOCK), os.cpu_count() or 1):
        yield from results


def _span(images: ImageSet, row: int, image: NDArray[Any] | BadImage) -> tuple[int, int, int, int] | BadImage:
    if isinstance(image, BadImage):
        return image
    if wrong := images.misfit(row, image):
        return wrong
    return image.shape[0], image.shape[1], int(image.min()), int(image.max())


def _own_checks(repeated: int) -> list[Check]:
    return [Check("ids that repeat", 0, repeated)]


def _print(facts: dict[str, Any], checks: Sequence[Check]) -> None:
    console = wide_console(stderr=False)

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    if facts["stand_in"]:
        say(f"GENERATED STAND-IN ({facts['stand_in']}): this is not the data.", "bold yellow")
    say(f"{facts['dataset']} in {facts['root']}")
    say(
        f"  {facts['images']} images of {facts['channels']} x {facts['dtype']}, {facts['files']} files, "
        f"{facts['bytes']} bytes"
    )
    if facts["height"]:
        (h0, h1), (w0, w1), (v0, v1) = facts["height"], facts["width"], facts["values"]
        say(f"  height {h0} to {h1} px, width {w0} to {w1} px, values {v0} to {v1}")
    for column, distinct in facts["distinct"].items():
        values = facts["counts"].get(column)
        say(f"  {column}: {_summary(values) if values else f'{distinct} values'}")
    for name, value in facts["notes"].items():
        loud = name in (NO_FILES, NOT_READ)
        say(f"  {'WARNING' if loud else 'note'}: {name}: {_short(value)}", "bold red" if loud else "yellow")
    bad = facts["bad_images"]
    say(f"  bad images: {len(bad)}", "red" if bad else "")
    for one in bad[:_SHOWN]:
        say(f"    {one['where']}: {one['why']}", "red")
    if len(bad) > _SHOWN:
        say(f"    ... and {len(bad) - _SHOWN} more; --json has them all", "red")
    _print_checks(console, checks)
    if facts["stand_in"] and not facts["ok"]:
        say("The expected numbers are those of the real data; a stand-in cannot have them.", "yellow")


def _print_checks(console: Console, checks: Sequence[Check]) -> None:
    table = Table("check", "expected", "found", "", box=None)
    for c in checks:
        verdict = Text("ok", "green") if c.ok else Text("DIFFERS", "red")
        table.add_row(Text(c.what), Text(str(c.expected)), Text(str(c.found)), verdict)
    console.print(table)


def _summary(values: dict[str, int]) -> str:
    if len(values) <= 12:
        return ", ".join(f"{name} {n}" for name, n in values.items())
    sizes = sorted(values.values())
    return f"{len(values)} values of {sizes[0]} to {sizes[-1]} images, median {sizes[len(sizes) // 2]}"


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:297]}..."
