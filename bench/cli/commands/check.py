"""`bench check`: finds what would go wrong before a suite runs."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.adapters.origin import stand_in_marker
from bench.cli.copies import cores
from bench.cli.options.suites import CheckOptions
from bench.cli.progress import Progress
from bench.errors import DataError, UsageError
from bench.interfaces import PADDING
from bench.records.leftout import left_out
from bench.records.marker import require_usable
from bench.suite import suitefile as suites
from bench.suite.schema import DatasetEntry, Suite

if TYPE_CHECKING:
    from bench.imaging.survey import Survey

_SPARE_BYTES = 1 << 30
_SEARCHED_UP_TO = 100_000
"""Largest dataset whose images are decoded and compared before a run."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check."""

    what: str
    ok: bool
    message: str
    warning: bool = False
    """Whether the run would go on, but with less than the user may expect."""

    @property
    def verdict(self) -> str:
        """What its line begins with."""
        return "BAD " if not self.ok else "WARN" if self.warning else "ok  "


def check_suite(options: CheckOptions) -> int:
    """Print one line per check; return 1 if any failed. Raises `FileError` for a wrong suite file."""
    suite = suites.load(suites.find(options.suite.name), options.suite.profile, options.data)
    findings = list(_findings(suite, options.store, duplicates=options.duplicates))
    if options.json:
        facts = [{"what": f.what, "ok": f.ok, "warning": f.warning, "said": f.message} for f in findings]
        print(json.dumps(facts))
    else:
        for f in findings:
            print(f"{f.verdict} {f.what}: {f.message}")
    return 0 if all(f.ok for f in findings) else 1


def _findings(suite: Suite, store_root: Path, *, duplicates: bool) -> Iterator[CheckResult]:
    sizes = len(suite.datasets), len(suite.methods), len(suite.block.seeds)
    cells = sum(len(suite.methods_on(entry)) for entry in suite.datasets) * sizes[2]
    summary = f"{sizes[0]} datasets, {sizes[1]} methods, {sizes[2]} seeds: {cells} cells"
    yield CheckResult("suite file", True, summary)
    yield from _libraries(suite)
    size = 0
    for entry in suite.datasets:
        finding, pixels = _dataset(entry)
        size += pixels
        yield finding
        if finding.ok and entry.generator is None:
            finding = _decoded(entry)
            yield finding
        if duplicates and finding.ok:
            yield _duplicates(entry)
    yield _disk(store_root, size)
    try:
        require_usable(store_root)
    except UsageError as e:
        yield CheckResult("store", False, str(e))


def _libraries(suite: Suite) -> Iterator[CheckResult]:
    parts = [p for m in suite.methods for p in m.parts.values()]
    names = sorted({lib.partition(".")[0] for p in parts for lib in type(p).libraries})
    missing = [n for n in names if importlib.util.find_spec(n) is None]
    message = f"not installed: {', '.join(missing)}; pip install them" if missing else f"{len(names)} found"
    yield CheckResult("libraries", not missing, message)


def _dataset(entry: DatasetEntry) -> tuple[CheckResult, int]:
    what = f"dataset {entry.name!r}"
    adapter = entry.adapter
    if entry.generator is not None:
        n = entry.generator.images
        return CheckResult(what, True, f"{n} images will be generated"), n * 3 * adapter.size**2
    if entry.root is None or not entry.root.is_dir():
        where = f"no folder {entry.root}" if entry.root else "no `root` and no BENCH_DATA"
        return CheckResult(
            what, False, f"{where}; set BENCH_DATA (or --data) or write `root:` in the suite"
        ), 0
    try:
        images = adapter.open(entry.root)
    except DataError as e:
        return CheckResult(what, False, str(e)), 0
    labels = list(images.table["label"].dropna())
    classes = len(set(labels))
    notes = "".join(f"; {name}: {value}" for name, value in images.notes.items() if value)
    made = " (a generated stand-in)" if stand_in_marker(entry.root) else ""
    counts = f"{len(images.table)} images in {entry.root}{made}, {len(labels)} labelled, {classes} classes"
    message = f"{counts}{notes}"
    return CheckResult(what, len(images.table) > 0, message), len(
        images.table
    ) * images.channels * adapter.size**2


def _decoded(entry: DatasetEntry) -> CheckResult:
    """Decode every image and count those that a run would leave out."""
    what = f"images of {entry.name!r}"
    assert entry.root is not None
    images = entry.adapter.open(entry.root)
    if len(images.table) > _SEARCHED_UP_TO:
        message = f"not decoded: more than {_SEARCHED_UP_TO} images; `bench data verify` takes any number"
        return CheckResult(what, True, message)
    from bench.imaging.survey import survey

    with Progress("images") as progress:
        padded = entry.adapter.shape == "pad"
        found = survey(images, padded=padded, threads=cores(), report=progress)
    lost = left_out(found.bad, found.notes, found.usable)
    said = [lost.sentence()] if lost is not None else [f"all {found.images:,} can be decoded"]
    if found.bad:
        said.append(f"the first: {_first(found)}")
    if PADDING in found.notes:
        said.append(f"{PADDING}: {found.notes[PADDING]}")
    refused = bool(found.bad) and entry.adapter.on_bad_image == "refuse"
    warning = (lost is not None and lost.loud) or PADDING in found.notes
    return CheckResult(what, found.usable > 0 and not refused, "; ".join(said), warning)


def _first(found: Survey) -> str:
    return f"{found.bad[0]['where']}: {found.bad[0]['what']}"


def _duplicates(entry: DatasetEntry) -> CheckResult:
    what = f"duplicates in {entry.name!r}"
    if entry.generator is not None or entry.root is None:
        return CheckResult(what, True, "not searched: each image will be drawn independently")
    images = entry.adapter.open(entry.root)
    if len(images.table) > _SEARCHED_UP_TO:
        message = (
            f"not searched: more than {_SEARCHED_UP_TO} images; `bench data duplicates` takes any number"
        )
        return CheckResult(what, True, message)
    from bench.cli.copies import judged, searched

    return CheckResult(what, *judged(entry, images, searched(images)))


def _disk(store_root: Path, prepared: int) -> CheckResult:
    folder = next(p for p in (store_root, *store_root.absolute().parents) if p.exists())
    free = shutil.disk_usage(folder).free
    need = 2 * prepared + _SPARE_BYTES  # prepared images, and about as much again in features
    message = f"{free / 2**30:.1f} GiB free at {store_root}, about {need / 2**30:.1f} GiB needed"
    return CheckResult("disk space", free > need, message)
