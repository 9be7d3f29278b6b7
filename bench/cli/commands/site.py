"""`bench site`: the web page of one or more suites."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cli.progress import Progress, human
from bench.cli.results import opened
from bench.errors import DataError
from bench.records.store import Store
from bench.report.site.build import build_site
from bench.report.site.embedding import Projection
from bench.report.site.suite import ShownSuite
from bench.suite.suitefile import called
from bench.util.text import suggest

_PROJECTIONS: dict[str, Projection] = {"pca": "pca", "umap": "umap"}


def write_site(
    names: Sequence[str],
    profile: str | None,
    base: Path,
    store: Path,
    out: Path,
    projection: str,
    max_points: int,
    *,
    as_json: bool,
) -> None:
    """Write the page of the suites into a folder; say where, and what it could not show.

    Raises `DataError` for suites that have not run, and a folder that holds other files.
    """
    if projection not in _PROJECTIONS:
        raise DataError(f"--map: no projection {projection!r}; {suggest(projection, list(_PROJECTIONS))}")
    suites = [_suite(name, profile, base) for name in dict.fromkeys(names)]
    with Progress("images") as progress:
        built = build_site(suites, Store(store), out, _PROJECTIONS[projection], max_points, progress)
    index = out / "index.html"
    if as_json:
        said = {"index": str(index), "pages": built.pages, "files": built.files, "bytes": built.bytes}
        print(json.dumps({**said, "not_shown": built.not_shown}))
        return
    for why in built.not_shown:
        print(f"not shown: {why}", file=sys.stderr)
    print(f"{index}: {built.pages} pages, {built.files} files, {human(built.bytes)}")


def _suite(name: str, profile: str | None, base: Path) -> ShownSuite:
    results, plan = opened(name, profile, base)
    return ShownSuite(called(name, profile), results, plan)
