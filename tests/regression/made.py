"""Runs made up record by record, so that tests know what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.adapters.keys import digest
from bench.records.record import CellRecord, put
from bench.util.durable import seal, write_whole

PLACE = {
    "host": "h", "platform": "p", "processor": "c", "python": "3.11", "cutjoin": "0", "git_commit": "a" * 40,
    "git_dirty": False, "versions": {"numpy": "2.0"},
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """One cell: two stages, one shared by all methods of the dataset."""

    method: str = "m"
    seed: int = 0
    status: str = "ok"
    scores: Mapping[str, float] | None = None
    interval: float = 0.02
    """Half-width."""
    seconds: float = 1.0
    shared_seconds: float = 2.0
    bytes: int = 10**9
    started: str = "2026-01-01T00:00:00.000+00:00"
    commit: str = "a" * 40
    processor: str = "c"
    params: Mapping[str, Any] | None = None
    version: str = "1"
    """Part of the key: another version of the code."""
    host: str = "h"
    dataset: str = "d"

    @property
    def key(self) -> str:
        return digest({"m": self.method, "s": self.seed, "v": self.version, "d": self.dataset})

    def record(self) -> CellRecord:
        place = {**PLACE, "git_commit": self.commit, "processor": self.processor, "host": self.host}
        scored = self.status in ("ok", "degenerate")
        scores = dict(self.scores if self.scores is not None else {"ami": 0.5, "acc": 0.6}) if scored else {}
        return CellRecord.model_validate(
            {
                "key": self.key,
                "suite": "made",
                "dataset": self.dataset,
                "method": self.method,
                "seed": self.seed,
                "status": self.status,
                "error": None if self.status == "ok" else "why <b>",
                "params": {"metrics": {"level": 0.95}, **(self.params or {})},
                "data_fingerprint": "f",
                "metrics": scores,
                "place": place,
                "intervals": {k: (v - self.interval, v + self.interval) for k, v in scores.items()},
                "stages": [
                    self._stage("prepare", self.shared_seconds, place, digest([self.dataset])),
                    self._stage("cluster", self.seconds, place, self.key),
                ],
            }
        )

    def _stage(self, stage: str, seconds: float, place: dict[str, Any], key: str) -> dict[str, Any]:
        return {
            "stage": stage, "key": key, "adapter": "kmeans@1", "wall_s": seconds,
            "host_peak_bytes": self.bytes, "device": "cpu", "threads": 1, "seed": None,
            "started": self.started, "place": place,
        }  # fmt: skip


def write_run(folder: Path, cells: Iterable[Made], missing: Iterable[Made] = (), **plan: Any) -> Path:
    """Write plan and records of one suite into `folder`; return it."""
    cells, missing = list(cells), list(missing)
    for cell in cells:
        put(folder / "records", cell.record())
    named = [[c.key, c.dataset, c.method, c.seed, False, True] for c in [*cells, *missing]]
    body = {
        "suite": "made", "title": "Made", "metrics": ["ami", "acc"], "noise": "own_cluster", "level": 0.95,
        "tables": [], "cells": named,
    }  # fmt: skip
    write_whole(folder / "plan.json", seal({**body, **plan}))
    return folder


def seeds(cell: Made, n: int = 3, **changes: Any) -> list[Made]:
    """Return the cell for several seeds; changes are functions of the seed, or values."""
    return [
        replace(cell, seed=s, **{k: v(s) if callable(v) else v for k, v in changes.items()}) for s in range(n)
    ]
