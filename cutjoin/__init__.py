"""cutjoin: the benchmark for grouping microscopy images without labels, from Python.

Suites
    load_suite, run, records, images, leaderboard, and what they return.
Without a suite
    score, multicut, verify.
To write your own
    Adapters: Dataset, Generator, Encoder, Reducer, PairModel, Clusterer, Classifier. Each is one class in
    one file, which a suite names: `use: ./my_encoder.py`. `bench new encoder NAME` writes such a file, and
    `bench test ./my_encoder.py` checks it.
    What adapters use: Run, Prepared, ImageSet, FileSet, TableSet..., Unit, InputFile, and `cutjoin.kit` for
    what networks share.
    Other things that plug in: Metric, Figure, TableFormat, Executor.
Errors
    Everything that a user can cause and mend is a `CutjoinError`.

Names load when they are first used. Whatever is not listed in `__all__` is private.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.adapters.origin import Check, Download, Origin
    from bench.api.frames import images, records
    from bench.api.running import FinishedRun
    from bench.api.scoring import multicut, score
    from bench.api.suites import load_suite
    from bench.api.tables import LeaderboardView, leaderboard
    from bench.errors import AdapterError, CutjoinError, DataError, UsageError
    from bench.execute.executor import Ended, Executor, InProgress, Setup, Work, run_stage
    from bench.images import BadImage, ImageSet, Prepared
    from bench.interfaces import (
        Adapter,
        Classifier,
        Clusterer,
        Clusters,
        Count,
        Dataset,
        Encoder,
        Generator,
        InputFile,
        PairModel,
        Percent,
        Reducer,
        Run,
        ToCluster,
        Unit,
    )
    from bench.layouts.fileset import FileSet
    from bench.metrics.label_free import LabelledFeatures
    from bench.metrics.metric import Metric
    from bench.metrics.pairs import PairCounts
    from bench.metrics.predictions import Predictions
    from bench.metrics.score import Scores
    from bench.metrics.tables import Tables
    from bench.multicut.certificate import Certificate, verify
    from bench.multicut.instance import DenseCosts, SparseCosts
    from bench.multicut.result import Solution
    from bench.report.drawing.figure import Figure, SuiteFigure
    from bench.report.tables.tableformat import TableContent, TableFormat
    from bench.suite.schema import Suite
    from cutjoin.running import run

__all__ = [
    "Adapter",
    "AdapterError",
    "BadImage",
    "Certificate",
    "Check",
    "Classifier",
    "Clusterer",
    "Clusters",
    "Count",
    "CutjoinError",
    "DataError",
    "Dataset",
    "DenseCosts",
    "Download",
    "Encoder",
    "Ended",
    "Executor",
    "Figure",
    "FileSet",
    "FinishedRun",
    "Generator",
    "ImageSet",
    "InProgress",
    "InputFile",
    "LabelledFeatures",
    "LeaderboardView",
    "Metric",
    "Origin",
    "PairCounts",
    "PairModel",
    "Percent",
    "Predictions",
    "Prepared",
    "Reducer",
    "Run",
    "Scores",
    "Setup",
    "Solution",
    "SparseCosts",
    "Suite",
    "SuiteFigure",
    "TableContent",
    "TableFormat",
    "Tables",
    "ToCluster",
    "Unit",
    "UsageError",
    "Work",
    "images",
    "leaderboard",
    "load_suite",
    "multicut",
    "records",
    "run",
    "run_stage",
    "score",
    "verify",
]

_HOMES = {
    "bench.adapters.origin": ("Check", "Download", "Origin"),
    "bench.api.frames": ("images", "records"),
    "bench.api.running": ("FinishedRun",),
    "bench.api.scoring": ("multicut", "score"),
    "bench.api.suites": ("load_suite",),
    "bench.api.tables": ("LeaderboardView", "leaderboard"),
    "bench.errors": ("AdapterError", "CutjoinError", "DataError", "UsageError"),
    "bench.execute.executor": ("Ended", "Executor", "InProgress", "Setup", "Work", "run_stage"),
    "bench.images": ("BadImage", "ImageSet", "Prepared"),
    "bench.interfaces": (
        "Adapter",
        "Classifier",
        "Clusterer",
        "Clusters",
        "Count",
        "Dataset",
        "Encoder",
        "Generator",
        "InputFile",
        "PairModel",
        "Percent",
        "Reducer",
        "Run",
        "ToCluster",
        "Unit",
    ),
    "bench.layouts.fileset": ("FileSet",),
    "bench.metrics.label_free": ("LabelledFeatures",),
    "bench.metrics.metric": ("Metric",),
    "bench.metrics.pairs": ("PairCounts",),
    "bench.metrics.predictions": ("Predictions",),
    "bench.metrics.score": ("Scores",),
    "bench.metrics.tables": ("Tables",),
    "bench.multicut.certificate": ("Certificate", "verify"),
    "bench.multicut.instance": ("DenseCosts", "SparseCosts"),
    "bench.multicut.result": ("Solution",),
    "bench.report.drawing.figure": ("Figure", "SuiteFigure"),
    "bench.report.tables.tableformat": ("TableContent", "TableFormat"),
    "bench.suite.schema": ("Suite",),
    "cutjoin.running": ("run",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
