"""Finished suites made without running anything: records, and artefacts in the formats of the stages."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.adapters.keys import digest
from bench.metrics.score import score
from bench.records.record import CellRecord, Environment, StageRecord, put
from bench.records.store import Store
from bench.util.durable import seal, write_whole

PLACE = Environment(
    host="h",
    platform="p",
    processor="c",
    python="3.11.0",
    cutjoin="0.1.0",
    git_commit="0123abc",
    git_dirty=True,
    versions={"numpy": "2.0"},
)
CURVE = {"loss": [[10, 3.0], [20, 1.5], [30, 1.25]]}


@dataclass(frozen=True)
class Wish:
    """What is to be made."""

    classes: Sequence[str] = ("diatom", "copepod", "ciliate")
    methods: Sequence[str] = ("good", "poor")
    """The n-th errs more than the one before."""
    seeds: Sequence[int] = (0, 1)
    images: int = 90
    size: int = 16
    dims: int = 5
    suite: str = "made"
    title: str = "Made"
    dataset: str = "Made images"
    synthetic: bool = False
    warning: str = "all went well"
    classifier: bool = False
    """Whether the methods predict the classes, without features."""


@dataclass(frozen=True)
class Made:
    """Where it is."""

    store: Path
    results: Path
    truth: NDArray[np.int64]
    records: dict[tuple[str, int], CellRecord]


def make(root: Path, wish: Wish) -> Made:
    """Write plan, records and artefacts; the features of each class lie around a corner of their own."""
    rng = np.random.default_rng(0)
    store = Store(root / "store")
    truth = np.sort(rng.integers(len(wish.classes), size=wish.images))
    prepare = digest(["prepare", wish.dataset])
    with store.session() as run:
        store.write(prepare, lambda folder: _prepared(folder, wish, truth, rng), run)
        records = {}
        for place, method in enumerate(wish.methods):
            for seed in wish.seeds:
                keys = [digest([stage, wish.dataset, method, seed]) for stage in ("fit", "encode", "cluster")]
                labels = _labels(truth, len(wish.classes), 0.1 * place, rng)
                labels = (labels - wish.classifier) % len(wish.classes)  # their own names
                features = np.eye(len(wish.classes), wish.dims)[truth] * 4
                features = (features + rng.normal(size=(wish.images, wish.dims))).astype(np.float32)
                store.write(keys[1], _array("features", features), run)
                store.write(keys[2], _array("labels", labels), run)
                records[method, seed] = _record(wish, method, seed, prepare, keys, truth, labels)
                put(root / "results" / wish.suite / "records", records[method, seed])
    _plan(root / "results" / wish.suite, wish, records)
    return Made(root / "store", root / "results", truth, records)


def _prepared(folder: Path, wish: Wish, truth: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Any]:
    """Write images whose brightness says their class."""
    shape = (wish.images, 1, wish.size, wish.size)
    level = (truth * 180 // len(wish.classes) + 40).reshape(-1, 1, 1, 1)
    np.save(folder / "images.npy", (level + rng.integers(20, size=shape)).astype(np.uint8))
    names = [wish.classes[t] for t in truth]
    pd.DataFrame({"id": [f"image-{i}.png" for i in range(wish.images)], "label": names}).to_parquet(
        folder / "table.parquet"
    )
    text = json.dumps({"classes": list(wish.classes), "n": wish.images})
    (folder / "set.json").write_text(text)
    return {}


def _labels(truth: NDArray[np.int64], k: int, wrong: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return other names for the classes, and some mistakes."""
    labels = (truth + 1) % k
    return np.where(rng.random(truth.size) < wrong, rng.integers(k, size=truth.size), labels)


def _array(name: str, values: NDArray[Any]) -> Callable[[Path], dict[str, Any]]:
    def fill(folder: Path) -> dict[str, Any]:
        file = io.BytesIO()
        np.save(file, values)
        (folder / f"{name}.npy").write_bytes(file.getvalue())
        return {}

    return fill


def _record(
    wish: Wish,
    method: str,
    seed: int,
    prepare: str,
    keys: list[str],
    truth: NDArray[np.int64],
    labels: NDArray[np.int64],
) -> CellRecord:
    common = {"host_peak_bytes": 1 << 20, "device": "cpu", "threads": 1, "place": PLACE}
    common |= {"started": "2026-01-02T03:04:05.678+00:00"}
    stages = [
        StageRecord(stage=s, key=k, adapter=a, wall_s=1.5, seed=seed, **common)
        for s, k, a in (("prepare", prepare, "drawings@1"), ("encode", keys[1], "eye@1"))
        if not (wish.classifier and s == "encode")
    ]
    stages.insert(
        1,
        StageRecord(
            stage="fit",
            key=keys[0],
            adapter="eye@1",
            wall_s=9,
            seed=seed,
            facts={"curve": CURVE},
            warnings=[wish.warning],
            **common,
        ),
    )
    last = "predict" if wish.classifier else "cluster"
    stages.append(StageRecord(stage=last, key=keys[2], adapter="mean@1", wall_s=0.5, seed=seed, **common))
    parts: dict[str, Any] = {
        "encoder": {"adapter": "eye@1", "params": {"dims": wish.dims}},
        "clusterer": {"adapter": "mean@1", "params": {"k": "classes"}},
    }
    if wish.classifier:
        parts = {"classifier": {"adapter": "mean@1", "params": {}}}
    found = score(truth, labels, replicates=20, rng=np.random.default_rng(0))
    return CellRecord(
        key=digest([wish.suite, wish.dataset, method, seed]),
        suite=wish.suite,
        dataset=wish.dataset,
        method=method,
        seed=seed,
        status="ok",
        synthetic=wish.synthetic,
        params={
            "dataset": {"adapter": "drawings@1", "params": {"size": wish.size, "note": wish.warning}},
            "score": {},
            **parts,
        },
        data_fingerprint="f" * 32,
        metrics=found.values,
        intervals=found.intervals,
        n_scored=wish.images,
        coverage=1.0,
        classes=found.classes,
        clusters=found.clusters,
        noise=found.noise,
        wall_s=12.5,
        host_peak_bytes=1 << 20,
        stages=stages,
        place=PLACE,
    )


def _plan(folder: Path, wish: Wish, records: dict[tuple[str, int], CellRecord]) -> None:
    cells = [[r.key, r.dataset, r.method, r.seed, r.trivial, r.synthetic] for r in records.values()]
    body = {
        "suite": wish.suite,
        "title": wish.title,
        "metrics": ["acc", "ari", "vi"],
        "noise": "own_cluster",
        "level": 0.95,
        "tables": [],
        "cells": cells,
    }
    write_whole(folder / "plan.json", seal(body))
