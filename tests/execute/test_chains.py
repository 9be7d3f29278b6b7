"""Chains with training: inputs of each adapter, shared stages, and the content of records."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.records.record import CellRecord
from tests.execute.runs import Bench

LEARNING = Path(__file__).parent / "learning"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Run all kinds of chains on two classes of 20 images, half of each fitted on and half scored."""
    bench = Bench(tmp_path_factory.mktemp("chains"))
    rng = np.random.default_rng(0)
    for name, level in (("bright", 200), ("dark", 60)):
        (bench.root / "images" / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.normal(level, 2, (12, 12)).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(bench.root / "images" / name / f"{name}{i}.png"), pixels)
    learned = f"{{use: {LEARNING}/centred.py, diary: {bench.root}/diary}}"
    suite = bench.suite(
        "seeds: [0, 1]\nbootstrap: {replicates: 20}\nlimits: {memory_gib: 2}\ndatasets:\n"
        "  - {name: two, use: image_folder, root: images, size: 12, "
        "fit: {fraction: 0.5}, score: {fraction: 0.5}}\n"
        "methods:\n"
        f"  - {{name: k, encoder: {learned}, clusterer: kmeans}}\n"
        f"  - {{name: w, encoder: {learned}, clusterer: ward}}\n"
        f"  - {{name: pairs, pair_model: {LEARNING}/alike.py, clusterer: {LEARNING}/components.py}}\n"
        f"  - {{name: skewed, pair_model: {{use: {LEARNING}/alike.py, skewed: true}}, "
        f"clusterer: {LEARNING}/components.py}}\n"
        f"  - {{name: supervised, classifier: {LEARNING}/nearest_mean.py}}\n",
        "chains",
    )
    done = bench.run("run", suite)
    assert done.returncode == 1, done.stderr
    return bench


@pytest.fixture(scope="module")
def records(bench: Bench) -> dict[tuple[str, int], CellRecord]:
    return bench.records("chains")


def test_a_fit_that_two_cells_share_happens_once_per_seed(bench: Bench) -> None:
    lines = (bench.root / "diary").read_text().splitlines()
    assert len(lines) == 2
    assert len({line.split()[0] for line in lines}) == 2  # seeds


def test_fit_sees_the_fit_images_and_no_others(
    bench: Bench, records: dict[tuple[str, int], CellRecord]
) -> None:
    fitted = [set(line.split()[1:]) for line in (bench.root / "diary").read_text().splitlines()]
    assert fitted[0] == fitted[1]
    assert len(fitted[0]) == 20
    assert records["k", 0].n_scored == 20  # the other half


def test_chains_that_work_score_perfectly_on_easy_images(records: dict[tuple[str, int], CellRecord]) -> None:
    for method in ("k", "w", "pairs", "supervised"):
        for seed in (0, 1):
            assert records[method, seed].status == "ok", records[method, seed].error
            assert records[method, seed].metrics["ari"] == 1.0


def test_stages_are_the_chain(records: dict[tuple[str, int], CellRecord]) -> None:
    def stages(method: str) -> list[str]:
        return [s.stage for s in records[method, 0].stages]

    assert stages("k") == ["prepare", "fit", "encode", "cluster", "score"]
    assert stages("pairs") == ["prepare", "pair", "cluster", "score"]
    assert stages("supervised") == ["prepare", "fit", "predict", "score"]
    assert stages("random sizes") == ["prepare", "cluster", "score"]


def test_the_record_holds_metadata_warnings_versions_and_the_seed_used(
    bench: Bench, records: dict[tuple[str, int], CellRecord]
) -> None:
    fit = records["k", 0].stages[1]
    assert fit.facts == {"fitted_on": 20}
    assert fit.warnings == ["UserWarning: a warning that the record must hold"]
    assert "numpy" in fit.place.versions
    used = {line.split()[0] for line in (bench.root / "diary").read_text().splitlines()}
    assert {str(records["k", seed].stages[1].seed) for seed in (0, 1)} == used


def test_records_show_which_methods_see_labels(records: dict[tuple[str, int], CellRecord]) -> None:
    seeing = {method for (method, _), r in records.items() if r.uses_labels}
    assert seeing == {"supervised", "random sizes", "majority"}


def test_a_suite_with_a_classifier_has_the_majority_baseline(
    records: dict[tuple[str, int], CellRecord],
) -> None:
    assert records["majority", 0].status == "ok"
    assert records["majority", 0].metrics["acc"] == 0.5


def test_a_pair_model_that_breaks_its_contract_is_an_error(
    records: dict[tuple[str, int], CellRecord],
) -> None:
    assert records["skewed", 0].status == "error"
    assert "not symmetric" in str(records["skewed", 0].error)
