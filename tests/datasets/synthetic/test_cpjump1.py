from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tifffile

from bench.adapters.registry import load as load_adapter
from bench.interfaces import Dataset, Generator, Run


def written(root: Path, **parameters: Any) -> Path:
    root.mkdir(exist_ok=True)
    run = Run(0, 1, "cpu", "float32", logging.getLogger("test"), root, lambda *_: None)
    cast(Generator, load_adapter("generator", "cpjump1").model_validate(parameters)).write(root, run)
    return root


def contents(root: Path, suffix: str = "tiff") -> dict[str, bytes]:
    return {f.relative_to(root).as_posix(): f.read_bytes() for f in sorted(root.rglob(f"*.{suffix}"))}


def cpjump1(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "cpjump1").model_validate(parameters))


@pytest.mark.slow
def test_same_parameters_same_bytes_and_a_field_depends_on_its_number_only(tmp_path: Path):
    few = contents(written(tmp_path / "few", images=10, side=32))
    assert few == contents(written(tmp_path / "again", images=10, side=32))
    many = contents(written(tmp_path / "many", images=18, side=32))
    assert len(many) == 90
    assert few.items() <= many.items()
    other = contents(written(tmp_path / "other", images=10, side=32, seed=2**70 + 1))
    assert not set(few.values()) & set(other.values())


def test_files_are_16_bit_lzw_and_clipping_at_255_leaves_nothing(tmp_path: Path):
    for name, data in contents(written(tmp_path, images=8)).items():
        with tifffile.TiffFile(tmp_path / name) as tiff:
            page = tiff.pages.first
            assert page.compression == 5
            assert page.dtype == np.uint16
            image = page.asarray()
        assert image.shape == (128, 128)
        assert image.max() > 2_000
        assert np.minimum(image, 255).std() < 0.01 * image.std()
        assert data


@pytest.mark.slow
@pytest.mark.parametrize("images", [88, 176])
def test_controls_are_2_of_11(tmp_path: Path, images: int):
    written(tmp_path, images=images, side=32, fields=4)
    table = cpjump1().open(tmp_path).table
    assert table["label"].eq("control").sum() == pytest.approx(images * 2 / 11, abs=8)
    assert table.groupby("well")["label"].nunique().max() == 1


def test_the_tables_are_whole_and_agree_with_the_known_numbers(tmp_path: Path):
    written(tmp_path, images=24, side=32)
    dataset = cpjump1()
    images = dataset.open(tmp_path)
    assert images.notes == {}
    checks = {c.what: c for c in dataset.checks(tmp_path, images)}
    assert checks["wells of JUMP-Target-1_compound_platemap"].ok
    assert not checks["plates in barcode_platemap.csv"].ok
    assert checks["images of plate BR00116991"].ok
    assert len(cpjump1(layout="load_data").open(tmp_path).table) == 24


def test_more_fields_than_the_plates_hold_are_refused():
    generator = load_adapter("generator", "cpjump1")
    generator.model_validate({"images": 384, "plates": 1, "fields": 1})
    with pytest.raises(ValueError, match="more than the 384 fields"):
        generator.model_validate({"images": 385, "plates": 1, "fields": 1})


@pytest.mark.slow
def test_every_well_can_be_imaged_once(tmp_path: Path):
    written(tmp_path, images=384, plates=1, fields=1, side=32)
    table = cpjump1(channels=("DNA",)).open(tmp_path).table
    assert table["well"].is_unique
    assert table["label"].eq("control").sum() == 64


@pytest.mark.slow
def test_the_effect_sets_how_far_perturbed_cells_differ(tmp_path: Path):
    differences = []
    for effect in (0, 2):
        root = written(tmp_path / str(effect), images=176, plates=1, batch=0, side=64, effect=effect)
        images = cpjump1(channels=("DNA", "AGP"), label="target").open(root)
        pixels = np.stack([images.read(k) for k in range(176)]).astype(np.float32)
        facts = np.hstack([pixels.mean((1, 2)), pixels.std((1, 2)), np.percentile(pixels, 90, axis=(1, 2))])
        label = images.table["label"].fillna("none").to_numpy()
        spread = np.stack([facts[label == k].mean(0) for k in sorted(set(label))]).var(0)
        differences.append(float((spread / facts.var(0)).mean()))
    assert differences[1] > 2 * differences[0]
