"""One tiny run with every kind of method that figures know."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.records.store import Store
from bench.report.drawing.figure import Figure, find
from bench.stages.finished import FinishedCell
from tests.conftest import once
from tests.execute.runs import Bench

_DINO = (
    "{use: dino, arch: vit_tiny_patch16_224, width: 24, depth: 2, heads: 2, patch: 8, outputs: 32, "
    "hidden: 32, bottleneck: 16, batch: 8, small_crops: 1, momentum: 0.5, rate: 0.3, "
    "steps: 10, snapshots: [0, 0.5]}"
)

SUITE = f"""
title: Drawn
seeds: [0]
baselines: false
bootstrap: {{replicates: 0}}
datasets:
  - {{name: "Made: 1/2 $x$", use: flowcam, size: 16, synthetic: {{images: 48, bags: 2, days: 3}}, fit: {{}}}}
methods:
  - name: dino
    encoder: {_DINO}
    clusterer: {{use: kmeans, k: 3, reduce: {{use: pca, dims: 2}}}}
  - name: untrained
    encoder: {_DINO.replace("steps: 10, snapshots: [0, 0.5]", "epochs: 0")}
    clusterer: {{use: kmeans, k: 3}}
  - name: twin
    pair_model: {{use: twin, encoder: {_DINO}, embedding: null, frozen: 0, fusion: optimal,
                  steps: 10, batch: 8, held_out: 0.3, calibrate: platt}}
    clusterer: multicut
  - name: cnn
    classifier: {{use: simple_cnn, image_size: 16, width: 4, hidden: 8, epochs: 1}}
  - name: pixels
    encoder: pixels
    clusterer: {{use: ward, k: 4}}
limits: {{memory_gib: 3, wall_s: 300}}
"""


def figure_of(name: str) -> Figure:
    """Return a figure of one cell by its name."""
    found = find(name)
    assert isinstance(found, Figure)
    return found


def cells(place: Bench) -> dict[str, FinishedCell]:
    """Return the finished cells by method."""
    store = Store(place.root / "store")
    return {method: FinishedCell(record, store) for (method, _), record in place.records("drawn").items()}


def finished(factory: pytest.TempPathFactory) -> Bench:
    """Run the suite, once for all modules of a session. To be read only."""

    def run(root: Path) -> None:
        bench = Bench(root)
        done = bench.run("run", bench.suite(SUITE, "drawn"), "--quiet", "--jobs", "1")
        assert done.returncode == 0, done.stderr

    return Bench(once(factory, "drawn", run))
