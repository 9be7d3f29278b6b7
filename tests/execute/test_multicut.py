"""A user's join probabilities, clustered by multicut in a suite."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bench.records.record import CellRecord
from tests.execute.runs import Bench, json_of

PER_CLASS = 12
CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Run exact, swept and greedy multicuts of noisy probabilities of three classes."""
    bench = Bench(tmp_path_factory.mktemp("multicut"))
    rng = np.random.default_rng(0)
    ids = [f"{name}/{name}{i}.png" for name in CLASSES for i in range(PER_CLASS)]
    for file in ids:
        path = bench.root / "images" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 255, (8, 8), np.uint8))
    truth = np.repeat(np.arange(len(CLASSES)), PER_CLASS)
    p = np.where(truth[:, None] == truth, 0.7, 0.3) + rng.normal(0, 0.2, (len(ids), len(ids)))
    p = p.clip(0.01, 0.99)
    order = rng.permutation(len(ids))  # matched by id, not by position
    np.save(bench.root / "p.npy", p[np.ix_(order, order)].astype(np.float32))
    (bench.root / "ids.txt").write_text("".join(ids[i] + "\n" for i in order))
    pairs = f"{{use: precomputed, file: {bench.root}/p.npy, ids: {bench.root}/ids.txt}}"
    suite = bench.suite(
        "seeds: [0]\nbootstrap: {replicates: 20}\nlimits: {memory_gib: 2}\ndatasets:\n"
        "  - {name: three, use: image_folder, root: images, size: 8}\n"
        "methods:\n"
        f"  - {{name: exact, pair_model: {pairs}, clusterer: {{use: multicut, solver: exact}}}}\n"
        f"  - {{name: greedy, pair_model: {pairs}, clusterer: {{use: multicut, solver: greedy}}}}\n"
        f"  - {{name: wary, pair_model: {pairs}, "
        "clusterer: {use: multicut, solver: exact, threshold: 0.9}}\n",
        "multicut",
    )
    done = bench.run("run", suite)
    assert done.returncode == 0, done.stderr
    return bench


@pytest.fixture(scope="module")
def records(bench: Bench) -> dict[tuple[str, int], CellRecord]:
    return bench.records("multicut")


def test_the_exact_solver_finds_the_classes_through_the_noise(
    records: dict[tuple[str, int], CellRecord],
) -> None:
    record = records["exact", 0]
    assert record.metrics["ari"] == 1.0
    facts = next(s.facts for s in record.stages if s.stage == "cluster")
    assert facts["status"] == "optimal"
    assert facts["objective"] == pytest.approx(facts["upper_bound"], rel=1e-6)
    assert records["greedy", 0].metrics["ari"] > 0.9


def test_a_threshold_makes_joins_rarer(records: dict[tuple[str, int], CellRecord]) -> None:
    assert records["wary", 0].metrics["precision_joins"] == 1.0
    assert records["wary", 0].metrics["recall_joins"] < 1.0


def test_the_command_reaches_the_same_objectives(
    bench: Bench, records: dict[tuple[str, int], CellRecord]
) -> None:
    words = ("--probabilities", "--thresholds", "0.5,0.9", "--solver", "exact", "--json")
    rows = json_of(bench.run("multicut", str(bench.root / "p.npy"), *words))
    for row, method in zip(rows, ("exact", "wary"), strict=True):
        facts = next(s.facts for s in records[method, 0].stages if s.stage == "cluster")
        assert row["objective"] == pytest.approx(facts["objective"], rel=1e-5)
