"""`bench check`: what can be known to go wrong before a suite runs."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.adapters.origin import stand_in_marker
from bench.cli.options.suites import CheckOptions
from bench.errors import DataError
from bench.suite import suitefile as suites
from bench.suite.schema import DatasetEntry, Suite

_SPARE_BYTES = 1 << 30
_SEARCHED_UP_TO = 100_000
"""Images of a dataset that are quick enough to decode and compare before a run."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    said: str


def check_suite(options: CheckOptions) -> int:
    """Print one line per check; return 1 if one found a fault (a wrong file ends with 2 before)."""
    suite = suites.load(suites.find(options.suite.name), options.suite.profile, options.data)
    findings = list(_findings(suite, options.store, duplicates=options.duplicates))
    if options.json:
        print(json.dumps([vars(f) for f in findings]))
    else:
        for f in findings:
            print(f"{'ok  ' if f.ok else 'BAD '} {f.what}: {f.said}")
    return 0 if all(f.ok for f in findings) else 1


def _findings(suite: Suite, store_root: Path, *, duplicates: bool) -> Iterator[Finding]:
    sizes = len(suite.datasets), len(suite.methods), len(suite.block.seeds)
    cells = sum(len(suite.methods_on(entry)) for entry in suite.datasets) * sizes[2]
    said = f"{sizes[0]} datasets, {sizes[1]} methods, {sizes[2]} seeds: {cells} cells"
    yield Finding("suite file", True, said)
    yield from _libraries(suite)
    wanted = 0
    for entry in suite.datasets:
        finding, size = _dataset(entry)
        wanted += size
        yield finding
        if duplicates and finding.ok:
            yield _duplicates(entry)
    yield _disk(store_root, wanted)


def _libraries(suite: Suite) -> Iterator[Finding]:
    parts = [p for m in suite.methods for p in m.parts.values()]
    names = sorted({lib.partition(".")[0] for p in parts for lib in type(p).libraries})
    missing = [n for n in names if importlib.util.find_spec(n) is None]
    said = f"not installed: {', '.join(missing)}; pip install them" if missing else f"{len(names)} found"
    yield Finding("libraries", not missing, said)


def _dataset(entry: DatasetEntry) -> tuple[Finding, int]:
    what = f"dataset {entry.name!r}"
    adapter = entry.adapter
    if entry.generator is not None:
        n = entry.generator.images
        return Finding(what, True, f"{n} images will be generated"), n * 3 * adapter.size**2
    if entry.root is None or not entry.root.is_dir():
        where = f"no folder {entry.root}" if entry.root else "no `root` and no BENCH_DATA"
        return Finding(what, False, f"{where}; set BENCH_DATA (or --data) or write `root:` in the suite"), 0
    try:
        images = adapter.open(entry.root)
    except DataError as e:
        return Finding(what, False, str(e)), 0
    labels = list(images.table["label"].dropna())
    classes = len(set(labels))
    notes = "".join(f"; {name}: {value}" for name, value in images.notes.items() if value)
    made = " (a generated stand-in)" if stand_in_marker(entry.root) else ""
    counts = f"{len(images.table)} images in {entry.root}{made}, {len(labels)} labelled, {classes} classes"
    said = f"{counts}{notes}"
    return Finding(what, len(images.table) > 0, said), len(images.table) * images.channels * adapter.size**2


def _duplicates(entry: DatasetEntry) -> Finding:
    what = f"duplicates in {entry.name!r}"
    if entry.generator is not None or entry.root is None:
        return Finding(what, True, "not searched: each image will be drawn by itself")
    images = entry.adapter.open(entry.root)
    if len(images.table) > _SEARCHED_UP_TO:
        said = f"not searched: more than {_SEARCHED_UP_TO} images; `bench data duplicates` takes any number"
        return Finding(what, True, said)
    from bench.cli.copies import judged, searched

    return Finding(what, *judged(entry, images, searched(images)))


def _disk(store_root: Path, wanted: int) -> Finding:
    folder = next(p for p in (store_root, *store_root.absolute().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    need = 2 * wanted + _SPARE_BYTES  # prepared images, and about as much again in features
    said = f"{free / 2**30:.1f} GiB free at {store_root}, about {need / 2**30:.1f} GiB wanted"
    return Finding("disk space", free > need, said)
