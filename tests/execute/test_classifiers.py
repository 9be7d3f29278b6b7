"""Suites with classifiers: training images, scores, and flagged cells."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bench.metrics.names import CLASSIFICATION
from bench.records.record import CellRecord
from tests.execute.runs import Bench

SIMCLR = "{use: simclr, arch: conv5, width: 4, channels: native, epochs: 1, batch: 16}"
SMALL = "image_size: 32, width: 8, hidden: 16, batch: 16"
SUITE = f"""
title: Classifiers
seeds: [0]
metrics: [balanced_accuracy, accuracy, average_precision, f1_per_class]
bootstrap: {{replicates: 30}}
limits: {{memory_gib: 3, wall_s: 300}}
datasets:
  - &plate
    name: half
    use: cpjump1
    size: 32
    synthetic: {{images: 110, side: 32, effect: 3}}
    score: {{fraction: 0.5}}
    methods: [cnn, linear, nearest, clustered]
  - {{<<: *plate, name: raw, normalise: none, fit: {{fraction: 0.7}}, methods: [published], baselines: false}}
  - {{<<: *plate, name: all, score: null, methods: [linear], baselines: false}}
methods:
  - {{name: cnn, classifier: {{use: simple_cnn, {SMALL}, channels: native, epochs: 8, rate: 0.003}}}}
  - {{name: published, classifier: {{use: simple_cnn, {SMALL}, faithful: true, epochs: 3}}}}
  - {{name: linear, classifier: {{use: linear_probe, encoder: {SIMCLR}}}}}
  - {{name: nearest, classifier: {{use: knn_probe, encoder: {SIMCLR}}}}}
  - {{name: clustered, encoder: {SIMCLR}, clusterer: {{use: kmeans, k: classes}}}}
tables:
  - {{id: one, datasets: [half], columns: [accuracy, ari, class control.accuracy]}}
"""
Records = dict[tuple[str, str], CellRecord]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("classifiers"))
    done = bench.run("run", bench.suite(SUITE, "classes"), "--quiet", "--jobs", "1")
    assert done.returncode == 1, done.stderr
    return bench


@pytest.fixture(scope="module")
def records(bench: Bench) -> Records:
    return {(r.dataset, r.method): r for r in bench.all_records("classes")}


def facts(record: CellRecord, stage: str) -> dict[str, object]:
    return [s for s in record.stages if s.stage == stage][-1].facts


def test_classifiers_have_their_own_metrics_with_intervals_and_clusterings_do_not(records: Records) -> None:
    for method in ("cnn", "linear", "nearest"):
        r = records["half", method]
        assert r.status == "ok", r.error
        assert set(CLASSIFICATION) <= set(r.metrics)
        assert set(CLASSIFICATION) <= set(r.intervals)
        low, high = r.intervals["accuracy"]
        assert low <= r.metrics["accuracy"] <= high
        curve = facts(r, "score")["precision_recall"]
        assert isinstance(curve, dict)
        assert curve["class"] == "perturbed"
        assert "ami" in r.metrics
    assert not set(CLASSIFICATION) & set(records["half", "clustered"].metrics)
    majority = records["half", "majority"].metrics
    assert majority["balanced_accuracy"] == 0.5
    assert "average_precision" not in majority


def test_unless_the_suite_says_so_no_scored_image_is_fitted_on(records: Records) -> None:
    half = records["half", "linear"]
    assert facts(half, "score")["fitted_on"] == {"images": 55, "scored": 0}
    assert facts(half, "fit")["images"] == 55
    assert not half.stages[-1].warnings
    raw = records["raw", "published"]
    assert facts(raw, "score")["fitted_on"] == {"images": 77, "scored": 22}
    assert "22 of the 55 scored images were fitted on" in raw.stages[-1].warnings[0]


def test_a_classifier_without_training_images_suggests_a_fix(records: Records) -> None:
    r = records["all", "linear"]
    assert r.status == "error"
    assert "fit: {fraction: 0.8} and score: {fraction: 0.2}" in str(r.error)


def test_probes_share_the_fit_of_their_encoder(records: Records) -> None:
    fits = {
        m: next(s.key for s in records["half", m].stages if s.stage == "fit") for m in ("linear", "nearest")
    }
    own = next(s.key for s in records["half", "clustered"].stages if s.stage == "fit")
    assert fits == {"linear": own, "nearest": own}
    assert [s.stage for s in records["half", "linear"].stages] == [
        *("synthesize", "prepare", "fit", "fit", "predict", "score")
    ]
    assert "encoder" not in facts(records["half", "linear"], "fit")  # reported by its own fit stage


def test_the_published_pipeline_is_flagged_as_collapsed_and_the_proper_one_is_not(records: Records) -> None:
    published, proper = records["raw", "published"], records["half", "cnn"]
    assert published.status == "degenerate"
    assert str(published.error).startswith("collapsed: all 55 images are predicted as 'perturbed'")
    assert facts(published, "score")["collapsed"] == published.error
    assert published.metrics["balanced_accuracy"] == 0.5
    by_class = {"class control": {"accuracy": 0.0}, "class perturbed": {"accuracy": 1.0}}
    assert published.parts == by_class
    mean = np.mean([proper.parts[name]["accuracy"] for name in by_class])
    assert mean == pytest.approx(proper.metrics["balanced_accuracy"])
    assert facts(published, "fit")["collapsed"]
    assert proper.status == "ok"
    assert facts(proper, "score")["collapsed"] is None
    assert facts(proper, "fit")["collapsed"] is None
    assert proper.metrics["balanced_accuracy"] > 0.65


def test_tables_leave_out_what_a_row_does_not_have(bench: Bench) -> None:
    with (bench.folder("classes") / "leaderboard.csv").open() as file:
        rows = {(r["dataset"], r["method"]): r for r in csv.DictReader(file)}
    assert rows["half", "clustered"]["accuracy"] == ""
    assert float(rows["half", "cnn"]["accuracy"]) > 0
    assert rows["half", "cnn"]["rank"]
    text = (bench.folder("classes") / "leaderboard.md").read_text()
    assert "balanced accuracy" in text
    done = bench.run("table", "classes", "--table", "one", "--format", "csv")
    assert done.returncode == 0, done.stderr
    by_class = {r["method"]: r["class control.accuracy"] for r in csv.DictReader(done.stdout.splitlines())}
    assert by_class["majority"] == "0.0"
    assert by_class["clustered"] == ""
    shown = bench.run("show", next(p.stem for p in (bench.folder("classes") / "records").iterdir()))
    assert shown.returncode == 0, shown.stderr


def test_running_again_changes_nothing(bench: Bench) -> None:
    before = bench.artefacts()
    done = bench.run("run", str(Path(bench.root) / "classes.yaml"), "--quiet")
    assert done.returncode == 1
    assert bench.artefacts() == before
