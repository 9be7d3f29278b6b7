"""Records score features both before and after a reducer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.metrics.label_free import score_features
from bench.records.record import CellRecord
from bench.records.store import Store
from tests.execute.runs import Bench

SUITE = """
seeds: [0]
metrics: [acc, classes.consensus, classes reduced.consensus]
bootstrap: {replicates: 0}
limits: {memory_gib: 4, wall_s: 300}
baselines: false
label_free: LABEL_FREE
datasets:
  - {name: plain, use: rxrx1, size: 16, synthetic: {images: 48, side: 32}}
methods:
  - {name: plane, encoder: pixels, clusterer: {use: nearest_labels, per_class: 3, reduce: fastica}}
  - {name: all, encoder: pixels, clusterer: {use: nearest_labels, per_class: 3}}
"""


def records(bench: Bench, label_free: str) -> dict[str, CellRecord]:
    done = bench.run("run", bench.suite(SUITE.replace("LABEL_FREE", label_free), label_free), "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    return {r.method: r for r in bench.all_records(label_free)}


def test_a_plane_is_scored_beside_the_features_it_comes_from(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found = records(bench, "true")
    parts, store = found["plane"].parts, Store(tmp_path / "store")
    assert {"classes", "clusters", "classes reduced", "clusters reduced"} <= set(parts)
    assert "classes reduced" not in found["all"].parts
    assert parts["classes"] == found["all"].parts["classes"]
    assert found["plane"].uses_labels
    stages = {s.stage: s for s in found["plane"].stages}
    features = {}
    for stage in ("encode", "reduce"):
        artefact = store.open(stages[stage].key)
        assert artefact is not None
        features[stage] = np.load(artefact.folder / "features.npy", allow_pickle=False)
    assert features["reduce"].shape == (48, 2)
    clustered = store.open(stages["cluster"].key)
    assert clustered is not None
    labels = np.load(clustered.folder / "labels.npy", allow_pickle=False)
    for stage, part in (("encode", "clusters"), ("reduce", "clusters reduced")):
        expected = score_features(features[stage], labels, np.random.default_rng(0))
        assert {k: v for k, v in parts[part].items() if k != "noise_share"} == pytest.approx(expected)
    assert stages["reduce"].facts["converged"] in (True, False)
    assert stages["cluster"].facts["few_labels"]["given"] == 12
    assert "classes reduced" not in records(bench, "false")["plane"].parts
