"""What `bench new` writes works as it is, end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cutjoin
from bench.adapters import registry
from bench.cli.commands.new import write_new
from bench.cli.options.files import NewOptions
from bench.metrics import names
from bench.report.drawing import figure
from bench.report.tables import tableformat
from tests.cli.commands.test_new import KINDS
from tests.conftest import bench


def new(folder: Path, kind: str) -> str:
    """Write a file of a kind; return its path."""
    write_new(NewOptions(kind=kind, name=f"my_{kind}", out=folder))
    return str(folder / f"my_{kind}.py")


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_file_loads(kind: str, tmp_path: Path) -> None:
    path = new(tmp_path, kind)
    if kind == "figure":
        assert figure.find(path).about().summary
    elif kind == "table_format":
        assert tableformat.load(path).suffix
    elif kind == "metric":
        assert names.load(path).metric.problem() is None
    else:
        assert registry.load(kind, path).__doc__


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Class folders of PNG files: dark images and bright ones."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 50), ("bright", 200)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(15):
            pixels = rng.normal(level, 10, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    return tmp_path / "data"


def suite(folder: Path, data: Path) -> dict[str, Any]:
    """Return a suite in which every adapter and a metric are new files."""
    file = {kind: new(folder, kind) for kind in KINDS}
    half = {"fit": {"fraction": 0.5}, "score": {"fraction": 0.5}}
    return {
        "seeds": [0],
        "bootstrap": {"replicates": 10},
        "metrics": ["acc", file["metric"]],
        "datasets": [{"name": "own", "use": file["dataset"], "root": data, "size": 16} | half],
        "methods": [
            {"name": "encoder", "encoder": file["encoder"], "clusterer": "ward"},
            {
                "name": "clusterer",
                "encoder": "pixels",
                "clusterer": {"use": file["clusterer"], "reduce": {"use": file["reducer"], "dims": 3}},
            },
            {"name": "pair model", "pair_model": file["pair_model"], "clusterer": "multicut"},
            {"name": "classifier", "classifier": file["classifier"]},
        ],
    }


@pytest.mark.slow
def test_new_files_of_every_kind_work_together(tmp_path: Path, data: Path) -> None:
    given = suite(tmp_path, data)
    done = cutjoin.run(given, store=tmp_path / "store", results=tmp_path / "results", progress=False)
    cells = {row["method"]: row for _, row in done.records().iterrows()}
    assert done.failed == 0, done.records()["error"].to_dict()
    assert cells["encoder"]["acc"] == cells["encoder"]["my_metric"] == 1  # the classes are easy
    assert cells["encoder"]["my_metric_low"] == 1
    assert cells["pair model"]["acc"] == 1
    assert cells["classifier"]["accuracy"] == 1
    text = done.leaderboard().to(str(tmp_path / "my_table_format.py"))
    assert "own  encoder  acc 1.000  my_metric 1.000" in text
    words = ("figure", str(tmp_path / "my_figure.py"), "suite", "--by", "acc")
    drawn = bench(*words, store=done.store, results=tmp_path / "results", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert len(list((done.folder / "figures").glob("my_figure-acc.*"))) == 2
