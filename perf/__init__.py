"""Benchmarks for asv: `tox -e asv`. They also measure commits in which modules had other names."""

from __future__ import annotations

import contextlib
import importlib
import sys

OLD_NAMES = {
    "bench.adapters.keys": "bench.keys",
    "bench.adapters.registry": "bench.registry",
    "bench.datasets.synthetic.drawing.sprites": "bench.sprites",
    "bench.imaging.decode": "bench.decode",
    "bench.imaging.duplicates": "bench.duplicates",
    "bench.imaging.prepare": "bench.prepare",
    "bench.imaging.resize": "bench.resize",
    "bench.layouts.fileset": "bench.fileset",
    "bench.planning.fingerprint": "bench.fingerprint",
    "bench.planning.plan": "bench.plan",
    "bench.records.record": "bench.record",
    "bench.records.results": "bench.results",
    "bench.records.store": "bench.store",
    "bench.records.summary": "bench.report.summary",
    "bench.report.tables.comparison": "bench.report.comparison",
    "bench.report.tables.leaderboard": "bench.report.leaderboard",
    "bench.suite.suitefile": "bench.suitefile",
    "bench.util.durable": "bench.durable",
}
"""Name now -> name in version 0.1."""

try:
    import bench.util.durable  # noqa: F401  # is this commit laid out as now?
except ModuleNotFoundError:
    for new, old in OLD_NAMES.items():
        with contextlib.suppress(ImportError):  # older still: what needs it is skipped, or says so
            sys.modules[new] = importlib.import_module(old)
