"""Scores besides the metrics of the whole set: subsets, pairs, groups; data without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.metrics.score import score
from bench.metrics.subsets import score_subsets
from bench.records.record import CellRecord, Status
from tests.execute.runs import Bench

ORGANOIDS = """
seeds: [0]
metrics: [ri, seen-unseen.ri, pairs.f1_joins]
bootstrap: {replicates: 20}
limits: {memory_gib: 4, wall_s: 300}
label_free: true
datasets:
  - name: joint
    use: organoids
    size: 16
    synthetic: {images: 250}
    fit: {split: train-100}
    pretrain: {split: [train-100, test-unlabeled]}
    score: {split: [test-100, test-30]}
    subsets: subset
  - name: by class
    use: organoids
    size: 16
    synthetic: {images: 250}
    score: {split: test-100}
    subsets: {first: ["1", "2"], rest: ["[3-9]", "10"]}
  - name: unlabelled
    use: organoids
    size: 16
    synthetic: {images: 250}
    fit: {split: train-100}
    pretrain: {split: [train-100, test-unlabeled]}
    score: {split: test-unlabeled}
    groups: [split]
    baselines: false
methods:
  - name: features
    encoder: pixels
    clusterer: {use: kmeans, k: 3}
  - name: twin
    pair_model:
      use: twin
      encoder: &dino
        {use: dino, arch: vit_tiny_patch16_224, width: 16, depth: 4, heads: 2, patch: 4, steps: 4, batch: 4,
         small_crops: 0, outputs: 16, hidden: 16, bottleneck: 8}
      embedding: null
      fusion: optimal
      steps: 4
      batch: 4
    clusterer: {use: multicut, solver: exact}
  - name: alone
    encoder: *dino
    clusterer: {use: kmeans, k: 3}
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("parts"))
    done = bench.run("run", bench.suite(ORGANOIDS, "parts"), "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seen-unseen" in done.stdout
    return bench


@pytest.fixture(scope="module")
def records(bench: Bench) -> dict[tuple[str, str], CellRecord]:
    return {(r.dataset, r.method): r for r in bench.all_records("parts")}


def test_subsets_of_a_column_are_scored_within_and_between(
    records: dict[tuple[str, str], CellRecord],
) -> None:
    parts = records["joint", "features"].parts
    assert {"seen-seen", "seen-unseen", "unseen-unseen"} <= set(parts)
    assert parts["seen-seen"]["ri"] <= 1
    assert "vi" in parts["seen-seen"]
    assert "vi" not in parts["seen-unseen"]
    assert "recall_joins" not in parts["seen-unseen"]  # no class is both


def test_subsets_of_classes_are_those_of_the_metric(records: dict[tuple[str, str], CellRecord]) -> None:
    parts = records["by class", "features"].parts
    assert {"first-first", "first-rest", "rest-rest"} <= set(parts)
    truth, pred = np.array([0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 1])
    expected = score_subsets(truth, pred, ["first"] * 4 + ["rest"], noise="drop")
    assert expected["first-first"] == score(truth[:4], pred[:4], replicates=0).values


def test_a_pair_models_decisions_are_scored_before_clustering(
    records: dict[tuple[str, str], CellRecord],
) -> None:
    record = records["joint", "twin"]
    assert {"pairs", "pairs seen-seen", "pairs seen-unseen", "pairs unseen-unseen"} <= set(record.parts)
    assert "pairs" not in records["joint", "features"].parts
    assert 0 <= record.parts["pairs"]["ri"] <= 1
    pair = next(s for s in record.stages if s.stage == "pair")
    assert sum(pair.facts["reliability"]["pairs"]) == record.n_scored * (record.n_scored - 1) / 2


def test_an_encoder_is_fitted_once_for_itself_and_the_twin(
    records: dict[tuple[str, str], CellRecord],
) -> None:
    def fits(method: str) -> list[str]:
        return [s.key for s in records["joint", method].stages if s.stage == "fit"]

    (alone,) = fits("alone")
    encoder, twin = fits("twin")
    assert encoder == alone != twin
    assert fits("twin") == [s.key for s in records["unlabelled", "twin"].stages if s.stage == "fit"]
    assert records["joint", "twin"].uses_labels
    assert not records["joint", "alone"].uses_labels


def test_images_without_labels_are_clustered_and_get_label_free_scores(
    records: dict[tuple[str, str], CellRecord],
) -> None:
    record = records["unlabelled", "features"]
    assert record.status is Status.OK
    assert record.metrics == {}
    assert record.classes is None
    assert record.clusters == 3
    assert {"noise_share", "consensus", "silhouette", "similarity_ratio"} == set(record.parts["clusters"])
    assert "split" not in record.parts  # the same for all images
    assert "classes" in records["joint", "features"].parts
    assert not any(r.trivial for (d, _), r in records.items() if d == "unlabelled")


def test_generated_data_is_marked_also_where_a_suite_reads_it_from_a_folder(tmp_path) -> None:
    bench = Bench(tmp_path)
    made = bench.run(
        "data", "synthesize", "kaggle_plankton", str(tmp_path / "made"), "--images", "24", "--seed", "0"
    )
    assert made.returncode == 0, made.stderr
    text = (
        "seeds: [0]\nbaselines: false\nbootstrap: {replicates: 0}\nlimits: {memory_gib: 2}\n"
        "datasets: [{name: x, use: kaggle_plankton, root: made, size: 16}]\n"
        "methods: [{encoder: pixels, clusterer: kmeans}]\n"
    )
    assert bench.run("run", bench.suite(text)).returncode == 0
    (record,) = bench.all_records()
    assert record.synthetic
    (tmp_path / "made" / "SYNTHETIC.json").unlink()
    assert bench.run("run", str(tmp_path / "small.yaml")).returncode == 0
    assert sorted(r.synthetic for r in bench.all_records()) == [False, True]
    assert len({r.data_fingerprint for r in bench.all_records()}) == 1


UNLABELLED = """
seeds: [0]
metrics: [split.nmi]
bootstrap: {replicates: 0}
datasets:
  - name: unlabelled
    use: organoids
    size: 16
    synthetic: {images: 400}
    score: {split: test-unlabeled}
    groups: [split]
    baselines: false
methods:
  - {name: one, encoder: pixels, clusterer: {use: kmeans, k: 1}}
  - {name: two, encoder: pixels, clusterer: {use: kmeans, k: 2}}
"""


def test_groups_without_information_still_give_records(tmp_path: Path) -> None:
    """All images are of one split, so clusters cannot be associated with it; one cluster is degenerate."""
    bench = Bench(tmp_path)
    done = bench.run("run", bench.suite(UNLABELLED, "unlabelled"), "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {r.method: r for r in bench.all_records("unlabelled")}
    assert [found[name].parts for name in ("one", "two")] == [{"clusters": {"noise_share": 0.0}}] * 2
    assert (found["one"].status, found["two"].status) == (Status.DEGENERATE, Status.OK)
    assert "in one cluster" in str(found["one"].error)
