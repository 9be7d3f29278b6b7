"""Tables from 10,000 records, by the command, in a process of its own; intervals and tests alone."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.metrics.names import METRICS
from bench.records.record import CellRecord
from bench.records.results import Results
from bench.records.summary import read_summary
from bench.report.tables.comparison import compare
from bench.report.tables.leaderboard import build
from bench.util.durable import seal

DATASETS, METHODS, SEEDS = 10, 100, 10
COLUMNS = ["acc", "f1", "nmi", "ari", "ami"]
_STAGES = ("prepare", "fit", "encode", "cluster", "score")
_PLACE = {
    "host": "h",
    "platform": "p",
    "processor": "c",
    "python": "3",
    "cutjoin": "0",
    "git_commit": None,
    "git_dirty": None,
    "versions": {"numpy": "2.0", "scikit-learn": "1.5"},
}
_STAGE = {
    "adapter": "adapter@1",
    "wall_s": 1.5,
    "host_peak_bytes": 7 << 20,
    "device": "cpu",
    "threads": 1,
    "seed": 1,
    "started": "2020-01-01T00:00:00.000+00:00",
    "place": _PLACE,
    "facts": {"loss": [0.5] * 40},
}


def fill(base: Path) -> None:
    """Write plan and records of 10 datasets x 100 methods x 10 seeds; each record has about 8 kB."""
    rng = random.Random(0)
    cells: list[list[object]] = []
    folder = Results(base, "many").records
    folder.mkdir(parents=True)
    for place in range(DATASETS * METHODS * SEEDS):
        dataset, method, seed = place // (METHODS * SEEDS), place // SEEDS % METHODS, place % SEEDS
        record = _record(rng, hashlib.md5(str(place).encode()).hexdigest(), dataset, method, seed)
        (folder / f"{record.key}.json").write_bytes(seal(record.model_dump(mode="json")))
        cells.append([record.key, record.dataset, record.method, seed, record.trivial, False])
    plan = {
        "suite": "many",
        "title": "Many",
        "metrics": COLUMNS,
        "noise": "drop",
        "level": 0.95,
        "tables": [],
    }
    (base / "many" / "plan.json").write_bytes(seal({**plan, "cells": cells}))


def _record(rng: random.Random, key: str, dataset: int, method: int, seed: int) -> CellRecord:
    values = {m: min(1.0, max(0.0, method / METHODS + rng.gauss(0, 0.02))) for m in METRICS}
    body = {
        "key": key,
        "suite": "many",
        "dataset": f"D{dataset}",
        "method": f"M{method}",
        "seed": seed,
        "status": "ok",
        "trivial": method < 3,
        "data_fingerprint": "f",
        "metrics": values,
        "intervals": {m: (max(0.0, v - 0.01), min(1.0, v + 0.01)) for m, v in values.items()},
        "params": {kind: {"params": dict.fromkeys("abcdefgh", 0.5)} for kind in ("dataset", "encoder")},
        "n_scored": 1000,
        "coverage": 1.0,
        "classes": 5,
        "clusters": 5,
        "wall_s": 9.0,
        "stages": [{**_STAGE, "stage": s, "key": s} for s in _STAGES],
        "place": _PLACE,
    }
    return CellRecord.model_validate(body)


class TenThousandRecords:
    """`bench table` as a user waits for it, the start of Python included."""

    params = (["md", "terminal"],)
    param_names = ("format",)
    number, repeat = 1, 3
    timeout = 300

    def setup_cache(self) -> Path:
        base = Path(tempfile.mkdtemp())
        fill(base)
        return base

    def setup(self, base: Path, format: str) -> None:
        self._run(base, format)

    def time_cold(self, base: Path, format: str) -> None:
        shutil.rmtree(base / "many" / "kept")
        self._run(base, format)

    def time_warm(self, base: Path, format: str) -> None:
        self._run(base, format)

    def _run(self, base: Path, format: str) -> None:
        words = [sys.executable, "-m", "bench.cli", "table", "many", "--results", str(base), "-f", format]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        done = subprocess.run(words, env=environment, capture_output=True, check=True)
        assert b"M99" in done.stdout


class InMemory:
    """The parts: reading the summaries, building the leaderboard, comparing all pairs."""

    timeout = 300

    def setup_cache(self) -> Path:
        base = Path(tempfile.mkdtemp())
        fill(base)
        return base

    def setup(self, base: Path) -> None:
        results = Results(base, "many")
        self.plan = results.read_plan()
        self.folder = str(results.records)
        self.summaries = {c.key: read_summary(f"{self.folder}/{c.key}.json") for c in self.plan.cells}
        self.board = build(self.plan, self.summaries.get)

    def time_read(self, base: Path) -> None:
        for cell in self.plan.cells:
            assert read_summary(f"{self.folder}/{cell.key}.json") is not None

    def time_build(self, base: Path) -> None:
        build(self.plan, self.summaries.get)

    def time_compare(self, base: Path) -> None:
        assert len(compare(self.board)) == DATASETS + 1
