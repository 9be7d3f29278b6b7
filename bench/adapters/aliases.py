"""Module names of version 0.1: adapter files written for it still run, with a warning."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "bench.archive": "bench.acquire.archive",
    "bench.arrayfile": "bench.layouts.arrayfile",
    "bench.cell_drawing": "bench.datasets.synthetic.drawing.cells",
    "bench.decode": "bench.imaging.decode",
    "bench.download": "bench.acquire.download",
    "bench.duplicates": "bench.imaging.duplicates",
    "bench.durable": "bench.util.durable",
    "bench.execute.assemble": "bench.stages.recording",
    "bench.execute.display": "bench.cli.display",
    "bench.execute.linux": "bench.util.linux",
    "bench.execute.local": "bench.execute.run",
    "bench.fileset": "bench.layouts.fileset",
    "bench.fingerprint": "bench.planning.fingerprint",
    "bench.folders": "bench.layouts.folders",
    "bench.grid": "bench.suite.grid",
    "bench.keys": "bench.adapters.keys",
    "bench.labels": "bench.layouts.labelfile",
    "bench.layouts.flowcam_writing": "bench.datasets.synthetic.drawing.flowcam_tables",
    "bench.lowfrequency": "bench.imaging.lowfrequency",
    "bench.merge": "bench.records.merge",
    "bench.multicut.rounding": "bench.multicut.problem",
    "bench.neighbours": "bench.learning.neighbours",
    "bench.normalise": "bench.imaging.normalise",
    "bench.organoid_drawing": "bench.datasets.synthetic.drawing.organoids",
    "bench.origin": "bench.adapters.origin",
    "bench.parallel": "bench.util.parallel",
    "bench.pixelfile": "bench.imaging.pixelfile",
    "bench.place": "bench.util.environment",
    "bench.plan": "bench.planning.plan",
    "bench.prepare": "bench.imaging.prepare",
    "bench.probing": "bench.learning.probing",
    "bench.record": "bench.records.record",
    "bench.registry": "bench.adapters.registry",
    "bench.report.against": "bench.report.tables.against",
    "bench.report.against_text": "bench.report.tables.against_text",
    "bench.report.comparison": "bench.report.tables.comparison",
    "bench.report.contact": "bench.imaging.contact",
    "bench.report.departures": "bench.report.tables.departures",
    "bench.report.escape": "bench.report.tables.escape",
    "bench.report.figures.animation": "bench.report.drawing.animation",
    "bench.report.figures.cell": "bench.stages.finished",
    "bench.report.figures.columns": "bench.report.drawing.columns",
    "bench.report.figures.kinds": "bench.report.drawing.figure",
    "bench.report.figures.plane": "bench.report.drawing.plane",
    "bench.report.figures.style": "bench.report.drawing.style",
    "bench.report.figures.transformer": "bench.report.drawing.checkpoints",
    "bench.report.html": "bench.report.tables.html",
    "bench.report.kept": "bench.report.tables.cache",
    "bench.report.layout": "bench.report.tables.layout",
    "bench.report.leaderboard": "bench.report.tables.leaderboard",
    "bench.report.ranks": "bench.report.tables.ranks",
    "bench.report.reference": "bench.records.reference",
    "bench.report.render": "bench.report.tables.render",
    "bench.report.rescore": "bench.stages.rescore",
    "bench.report.statistics": "bench.report.tables.statistics",
    "bench.report.summary": "bench.records.summary",
    "bench.resize": "bench.imaging.resize",
    "bench.results": "bench.records.results",
    "bench.segmentation": "bench.imaging.segmentation",
    "bench.selection": "bench.imaging.selection",
    "bench.sprites": "bench.datasets.synthetic.drawing.sprites",
    "bench.store": "bench.records.store",
    "bench.suitefile": "bench.suite.suitefile",
    "bench.supervised": "bench.learning.supervised",
    "bench.tablefile": "bench.layouts.tablefile",
    "bench.validation": "bench.util.validation",
    "bench.yamlfile": "bench.util.yamlfile",
}
"""Name in version 0.1 -> current name."""


class MovedWarning(DeprecationWarning):
    """A module was imported by its 0.1 name."""


def find_moved(name: str) -> ModuleSpec | None:
    """Return the import spec for a 0.1 name; None for any other name."""
    return importlib.util.spec_from_loader(name, _Moved()) if name in MOVED else None


class _Moved(Loader):
    """Loads an old name as the current module: the same object, not a copy."""

    def exec_module(self, module: ModuleType) -> None:
        old = module.__name__
        warnings.warn(f"{old} is now {MOVED[old]}; the old name will be removed", MovedWarning, stacklevel=2)
        sys.modules[old] = importlib.import_module(MOVED[old])
