"""cutjoin: the benchmark for grouping microscopy images without labels, from Python.

Suites
    load_suite, run, records, images, leaderboard, and what they return.
Without a suite
    score, multicut, verify.
To write your own
    One class, or one metric, in one file, which a suite or a command names: `use: ./my_encoder.py`.
    `bench new encoder NAME` writes such a file, and `bench test ./my_encoder.py` checks it.
    Adapters: Dataset, Generator, Encoder, Reducer, PairModel, Clusterer, Classifier; what they can offer
    besides: HasNetwork, HasCheckpoints, HasAttention, HasFeatureMaps, StartsFromWeights.
    What adapters use: Run, Prepared, ToCluster, ImageSet, FileSet, InputFile, Unit, Count..., and
    `cutjoin.kit` for what networks share.
    Metric, and what its function is called with: Tables, PairCounts, Predictions, LabelledFeatures,
    GroupedLabels.
    Figure of a FinishedCell, SuiteFigure of a Leaderboard; both return a Drawing: see `cutjoin.drawing`.
    TableFormat, which renders a TableContent.
    Executor, which gets Work, and calls `run_stage` where the work is to be done.
Errors
    Everything that a user can cause and fix is a `CutjoinError`.

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
    from bench.arrays import Attention, ClassProbabilities, Features, JoinProbabilities, Labels
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
        FeatureMaps,
        Generator,
        HasAttention,
        HasCheckpoints,
        HasFeatureMaps,
        HasNetwork,
        InputFile,
        PairModel,
        Percent,
        Reducer,
        Run,
        StartsFromWeights,
        ToCluster,
        Unit,
    )
    from bench.layouts.fileset import FileSet
    from bench.metrics.label_free import GroupedLabels, LabelledFeatures
    from bench.metrics.metric import Metric
    from bench.metrics.pairs import PairCounts
    from bench.metrics.predictions import Predictions
    from bench.metrics.score import Scores
    from bench.metrics.tables import Tables
    from bench.multicut.certificate import Certificate, verify
    from bench.multicut.instance import DenseCosts, SparseCosts
    from bench.multicut.result import Solution
    from bench.report.drawing.figure import Figure, SuiteFigure
    from bench.report.drawing.style import Drawing
    from bench.report.tables.leaderboard import Leaderboard
    from bench.report.tables.tableformat import TableContent, TableFormat
    from bench.stages.finished import FinishedCell
    from bench.stages.job import Allocation, Job, Outcome
    from bench.suite.schema import Suite
    from bench.util.yamlfile import FileError
    from cutjoin import drawing as drawing
    from cutjoin import kit as kit
    from cutjoin.running import run

__all__ = [
    "Adapter",
    "AdapterError",
    "Allocation",
    "Attention",
    "BadImage",
    "Certificate",
    "Check",
    "ClassProbabilities",
    "Classifier",
    "Clusterer",
    "Clusters",
    "Count",
    "CutjoinError",
    "DataError",
    "Dataset",
    "DenseCosts",
    "Download",
    "Drawing",
    "Encoder",
    "Ended",
    "Executor",
    "FeatureMaps",
    "Features",
    "Figure",
    "FileError",
    "FileSet",
    "FinishedCell",
    "FinishedRun",
    "Generator",
    "GroupedLabels",
    "HasAttention",
    "HasCheckpoints",
    "HasFeatureMaps",
    "HasNetwork",
    "ImageSet",
    "InProgress",
    "InputFile",
    "Job",
    "JoinProbabilities",
    "LabelledFeatures",
    "Labels",
    "Leaderboard",
    "LeaderboardView",
    "Metric",
    "Origin",
    "Outcome",
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
    "StartsFromWeights",
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
    "bench.arrays": ("Attention", "ClassProbabilities", "Features", "JoinProbabilities", "Labels"),
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
        "FeatureMaps",
        "Generator",
        "HasAttention",
        "HasCheckpoints",
        "HasFeatureMaps",
        "HasNetwork",
        "InputFile",
        "PairModel",
        "Percent",
        "Reducer",
        "Run",
        "StartsFromWeights",
        "ToCluster",
        "Unit",
    ),
    "bench.layouts.fileset": ("FileSet",),
    "bench.metrics.label_free": ("GroupedLabels", "LabelledFeatures"),
    "bench.metrics.metric": ("Metric",),
    "bench.metrics.pairs": ("PairCounts",),
    "bench.metrics.predictions": ("Predictions",),
    "bench.metrics.score": ("Scores",),
    "bench.metrics.tables": ("Tables",),
    "bench.multicut.certificate": ("Certificate", "verify"),
    "bench.multicut.instance": ("DenseCosts", "SparseCosts"),
    "bench.multicut.result": ("Solution",),
    "bench.report.drawing.figure": ("Figure", "SuiteFigure"),
    "bench.report.drawing.style": ("Drawing",),
    "bench.report.tables.leaderboard": ("Leaderboard",),
    "bench.report.tables.tableformat": ("TableContent", "TableFormat"),
    "bench.stages.finished": ("FinishedCell",),
    "bench.stages.job": ("Allocation", "Job", "Outcome"),
    "bench.suite.schema": ("Suite",),
    "bench.util.yamlfile": ("FileError",),
    "cutjoin.running": ("run",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = ("drawing", "kit")
"""Public modules, so that `import cutjoin` is enough for them, too."""


if not TYPE_CHECKING:  # a type checker that saw it would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
