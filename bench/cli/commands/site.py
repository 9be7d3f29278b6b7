"""`bench site`: the web page of one or more suites."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.cli.options.groups import SuiteRef
from bench.cli.options.reports import SiteOptions
from bench.cli.progress import Progress, human
from bench.cli.results import opened
from bench.errors import UsageError
from bench.records.store import Store
from bench.report.site.build import build_site
from bench.report.site.embedding import projections
from bench.report.site.suite import SiteSuite
from bench.suite.names import arguments
from bench.util.text import suggest


def write_site(options: SiteOptions) -> None:
    """Write the page of the suites into a folder; print where, and what could not be shown.

    Raises `UsageError` for suites that have not run, and `DataError` for a folder that holds other files.
    """
    projection, out = options.map, options.out
    if projection not in projections():
        raise UsageError(f"--map: no projection {projection!r}; {suggest(projection, projections())}")
    suites = [
        _suite(SuiteRef(name=name, profile=options.profile), options.folders.results)
        for name in dict.fromkeys(options.suites)
    ]
    with Progress("images") as progress:
        built = build_site(
            suites,
            Store(options.folders.store),
            out,
            projection,
            options.max_points,
            progress,
        )
    index = out / "index.html"
    if options.json:
        body = {"index": str(index), "pages": built.pages, "files": built.files, "bytes": built.bytes}
        print(json.dumps({**body, "not_shown": built.not_shown}))
        return
    for why in built.not_shown:
        print(f"not shown: {why}", file=sys.stderr)
    print(f"{index}: {built.pages} pages, {built.files} files, {human(built.bytes)}")


def _suite(suite: SuiteRef, base: Path) -> SiteSuite:
    results, plan = opened(suite, base)
    return SiteSuite(arguments(suite.name, suite.profile), results, plan)
