from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from bench.datasets.synthetic.drawing.flowcam_tables import FIELDS
from bench.datasets.synthetic.drawing.sprites import KINDS
from scipy.stats import chi2_contingency

from bench.adapters.registry import load as load_adapter
from bench.imaging.decode import decode
from bench.interfaces import Dataset, Generator, Run
from bench.layouts.collages import Collages


def make_run(folder: Path) -> Run:
    return Run(0, 1, "cpu", "float32", logging.getLogger("test"), folder, lambda *_: None)


def write(root: Path, **parameters: Any) -> Path:
    root.mkdir(exist_ok=True)
    adapter = load_adapter("generator", "flowcam").model_validate(parameters)
    cast(Generator, adapter).write(root, make_run(root))
    return root


def opened(root: Path) -> Collages:
    images = cast(Dataset, load_adapter("dataset", "flowcam")()).open(root)
    assert isinstance(images, Collages)
    return images


def contents(root: Path) -> dict[str, bytes]:
    return {f.relative_to(root).as_posix(): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("large"), images=960, bags=2, days=4)


@pytest.mark.slow
def test_same_parameters_same_bytes(tmp_path: Path):
    a, b = (contents(write(tmp_path / name, images=30, seed=5, days=1)) for name in "ab")
    assert a == b
    assert a != contents(write(tmp_path / "c", images=30, seed=6, days=1))


@pytest.mark.slow
def test_a_particle_does_not_depend_on_how_many_there_are(tmp_path: Path):
    few = opened(write(tmp_path / "few", images=24, days=2))
    many = opened(write(tmp_path / "many", images=70, days=2))
    row_of = {name: row for row, name in enumerate(many.table["id"])}
    for row, name in enumerate(few.table["id"]):
        np.testing.assert_array_equal(few.read(row), many.read(row_of[name]))
        assert few.table["label"][row] == many.table["label"][row_of[name]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters", [{"images": 1}, {"images": 7}, {"images": 200}, {"seed": -1, "images": 20}]
)
def test_the_adapter_reads_all_of_it_by_default(tmp_path: Path, parameters: dict[str, int]):
    images = opened(write(tmp_path / "x", **parameters))
    assert len(images.table) == parameters["images"]
    assert set(images.notes) <= {"stuck particles"}
    assert images.table[["label", "bag", "day"]].notna().all(axis=None)
    checks = cast(Dataset, load_adapter("dataset", "flowcam")()).checks(tmp_path / "x", images)
    assert len(checks) == 1 + images.table["run"].nunique()
    assert all(check.ok for check in checks)


@pytest.mark.slow
def test_every_file_of_a_run_is_there(large: Path):
    run = large / "Mesocosm-bag2 (day03)"
    names = [f"{run.name}{end}" for end in (".lst", ".csv", "_summary.csv", "_000001.tif", "_000001_bin.tif")]
    assert {*names, "cal_image_000001.tif"} <= {f.name for f in run.iterdir()}
    head = (run / names[0]).read_text().split("\n")[:67]
    assert head[:2] == ["017", "num-fields|65"]
    assert head[2:] == [f"{name}|{kind}" for name, kind in FIELDS.items()]
    for line in (run / names[0]).read_text().split("\n")[67:-1]:
        for value, kind in zip(line.split("|"), FIELDS.values(), strict=True):
            assert (int if kind == "int32" else float if kind == "double" else str)(value) is not None
    assert set(np.unique(decode(run / names[4], grey=True))) == {0, 255}


@pytest.mark.slow
def test_tables_have_the_form_of_the_real_ones(large: Path, samples: Path):
    real = next((samples / "flowcam/vickot_run").glob("*NITRATE*"), None)
    if real is None:
        pytest.skip(f"no real runs: {samples / 'flowcam'} is absent")
    run = large / "Mesocosm-bag1 (day01)"
    ours, theirs = (next(folder.glob("*.lst")).read_text().split("\n") for folder in (run, real))
    assert ours[:67] == theirs[:67]
    for mine, other in zip(ours[67].split("|"), theirs[67].split("|"), strict=True):
        assert mine.count(".") == other.count(".") or mine.endswith(".tif")
    exports = [folder / f"{folder.name}.csv" for folder in (run, real)]
    rows = [list(csv.reader(path.read_text().split("\n")[:2])) for path in exports]
    assert rows[0][0] == rows[1][0]
    assert len(rows[0][1]) == len(rows[1][1])


def test_images_look_like_particles_on_light_grey(large: Path):
    images = opened(large)
    sides = images.boxes[:, 2:]
    assert 20 <= np.median(sides) <= 50
    assert sides.max() <= 200
    for row in range(0, 960, 7):
        image = images.read(row).astype(int)
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert np.abs(np.median(border, axis=0) - [168, 166, 165]).max() < 12
        assert image.min() < 150
        assert (image.max(axis=2) - image.min(axis=2)).mean() < 25
    assert (images.raw_area > 10).mean() > 0.99


def test_class_frequencies_drift_over_days_and_differ_between_bags(large: Path):
    table = opened(large).table
    assert set(table["label"]) == set(KINDS)
    for fixed, varied in (("bag", "day"), ("day", "bag")):
        for _, part in table.groupby(fixed):
            assert chi2_contingency(pd.crosstab(part[varied], part["label"])).pvalue < 0.001


@pytest.mark.slow
def test_one_particle_in_each_run_is_stuck(tmp_path: Path, large: Path):
    table = opened(large).table
    repeated = [int(name.rsplit("/", 1)[1]) % 20 == 11 for name in table["id"]]
    assert table.loc[repeated, "stuck"].all()
    assert table["stuck"].mean() < 0.06
    never = opened(write(tmp_path / "never", images=120, stuck_every=0)).table
    assert not never["stuck"].any()


@pytest.mark.slow
def test_many_particles_fill_several_collages(tmp_path: Path):
    images = opened(write(tmp_path / "x", images=700, bags=1, days=1))
    assert len(images.files) > 1
    seen = np.zeros((len(images.files), 964, 1292), np.uint8)
    for file, (x, y, width, height) in zip(images.file, images.boxes, strict=True):
        seen[file, y : y + height, x : x + width] += 1
    assert seen.max() == 1
    collage = decode(images.files[0][0], grey=True)[..., 0]
    assert not collage[seen[0] == 0].any()
