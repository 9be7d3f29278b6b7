"""What `bench new` writes works as it is: every file, in one run and in what is drawn from it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.cli.commands.new import write_new
from bench.cli.options.files import NewOptions
from tests.conftest import bench

SUITE = """\
seeds: [0]
metrics: [acc, ./metric.py]
bootstrap: {replicates: 20}
datasets:
  - {name: D, use: ./dataset.py, root: data, size: 16, fit: {fraction: 0.5}, score: {fraction: 0.5}}
methods:
  - {name: clustered, encoder: {use: ./encoder.py, bins: 8}, clusterer: {use: ./clusterer.py, k: 3}}
  - {name: reduced, encoder: ./encoder.py, clusterer: {use: kmeans, reduce: {use: ./reducer.py, dims: 10}}}
  - {name: pairs, pair_model: ./pair_model.py, clusterer: {use: multicut, solver: greedy}}
  - {name: classified, classifier: ./classifier.py}
"""
KINDS = (
    *("dataset", "encoder", "reducer", "clusterer", "pair_model", "classifier"),
    *("metric", "table_format", "figure"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a new file of each kind, images of three grey levels, and a suite that has run."""
    folder = tmp_path_factory.mktemp("new")
    for kind in KINDS:
        write_new(NewOptions(kind=kind, name=kind, out=folder))
    rng = np.random.default_rng(0)
    for level, name in ((40, "dark"), (100, "grey"), (160, "bright")):
        (folder / "data" / name).mkdir(parents=True)
        for i in range(12):
            pixels = np.clip(rng.normal(level, 12, (24, 24, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / "data" / name / f"{i}.png"), pixels)
    (folder / "suite.yaml").write_text(SUITE)
    done = called(folder, "run", "--jobs", "1", "--quiet")
    assert done == "", done
    return folder


def called(folder: Path, command: str, *words: str) -> str:
    done = bench(
        command, *words, str(folder / "suite.yaml"), store=folder / "store", results=folder / "results"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.mark.slow
def test_every_method_has_scores_the_new_metric_among_them(folder: Path) -> None:
    records = [json.loads(p.read_text()) for p in (folder / "results" / "suite" / "records").iterdir()]
    scores = {r["method"]: r["metrics"] for r in records}
    assert all("metric" in found for found in scores.values())
    for method in ("reduced", "pairs", "classified"):  # three grey levels are easily told apart
        assert scores[method]["acc"] == scores[method]["metric"] == 1
    assert scores["clustered"]["acc"] > scores["all in one"]["acc"]


@pytest.mark.slow
def test_the_new_table_format_and_figure_show_them(folder: Path) -> None:
    text = called(folder, "table", "--format", str(folder / "table_format.py"))
    assert "D  pairs  acc 1.000  metric 1.000" in text
    drawn = called(folder, "figure", str(folder / "figure.py"))
    assert "figure-acc.png" in drawn
    assert (folder / "results" / "suite" / "figures" / "figure-acc.png").stat().st_size > 0
