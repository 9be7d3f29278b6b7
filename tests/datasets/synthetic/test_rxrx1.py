from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.adapters.registry import load as load_adapter
from bench.interfaces import Dataset, Generator, Run


def written(root: Path, **parameters: Any) -> Path:
    root.mkdir(exist_ok=True)
    run = Run(0, 1, "cpu", "float32", logging.getLogger("test"), root, lambda *_: None)
    cast(Generator, load_adapter("generator", "rxrx1").model_validate(parameters)).write(root, run)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {f.relative_to(root).as_posix(): f.read_bytes() for f in sorted(root.rglob("*.png"))}


def rxrx1(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "rxrx1").model_validate(parameters))


@pytest.mark.slow
def test_same_parameters_same_bytes_and_a_site_depends_on_its_number_only(tmp_path: Path):
    few = contents(written(tmp_path / "few", images=12, side=32))
    assert few == contents(written(tmp_path / "again", images=12, side=32))
    many = contents(written(tmp_path / "many", images=20, side=32))
    assert len(many) == 120
    assert few.items() <= many.items()
    other = contents(written(tmp_path / "other", images=12, side=32, seed=-1))
    assert not set(few.values()) & set(other.values())


@pytest.mark.slow
def test_the_layout_is_that_of_the_real_data(tmp_path: Path):
    written(tmp_path, images=64, side=32)
    with (tmp_path / "rxrx1/metadata.csv").open() as f:
        rows = list(csv.DictReader(f))
    wanted = "site_id,well_id,cell_type,dataset,experiment,plate,well,site,well_type,sirna,sirna_id"
    assert list(rows[0]) == wanted.split(",")
    assert len({r["site_id"] for r in rows}) == 64
    for r in rows:
        assert r["site_id"] == f"{r['well_id']}_{r['site']}"
        assert r["well_id"] == f"{r['experiment']}_{r['plate']}_{r['well']}"
        assert (r["sirna"] == "EMPTY") == (r["sirna_id"] == "1138") == (r["well"] == "B02")
    assert {r["cell_type"] for r in rows} == {"HEPG2", "HUVEC", "RPE", "U2OS"}
    assert {r["dataset"] for r in rows} == {"train", "test"}
    images = rxrx1(channels="all").open(tmp_path)
    assert images.notes == {}
    assert images.read(0).shape == (32, 32, 6)
    names = {f.name for f in (tmp_path / "rxrx1/images/HEPG2-01/Plate1").iterdir()}
    assert "B02_s1_w6.png" in names


def test_more_sites_than_the_plates_hold_are_refused():
    generator = load_adapter("generator", "rxrx1")
    generator.model_validate({"images": 2 * 4 * 308, "experiments": 1, "plates": 1})
    with pytest.raises(ValueError, match="more than the 2464 sites"):
        generator.model_validate({"images": 2 * 4 * 308 + 1, "experiments": 1, "plates": 1})


@pytest.mark.slow
def test_raw_intensities_follow_the_batch_until_scaled_by_plate(tmp_path: Path):
    written(tmp_path, images=192, side=64)
    images = rxrx1(channels="all").open(tmp_path)
    pixels = np.stack([images.read(k) for k in range(192)]).astype(np.float32)
    table = images.table
    raw = pixels.reshape(192, -1, 6)
    scaled = np.empty_like(raw)
    for plate in set(table["plate"]):
        rows = (table["plate"] == plate).to_numpy()
        low, high = np.percentile(raw[rows], [0.1, 99.9], axis=(0, 1))
        scaled[rows] = np.clip((raw[rows] - low) / (high - low), 0, 1)
    kind, batch = table["cell_type"].to_numpy(), table["experiment"].to_numpy()
    before, after = between(background(raw), batch, kind), between(background(scaled), batch, kind)
    assert before > 3 * after
    none = written(tmp_path / "none", images=96, side=64, batch=0)
    flat = rxrx1(channels="all").open(none)
    plain = np.stack([flat.read(k) for k in range(96)]).astype(np.float32).reshape(96, -1, 6)
    facts = flat.table
    assert (
        between(background(plain), facts["experiment"].to_numpy(), facts["cell_type"].to_numpy()) < before / 5
    )


def background(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.percentile(pixels, 5, axis=1), np.float32)


def between(values: NDArray[np.float32], batch: NDArray[Any], kind: NDArray[Any]) -> float:
    """Return the variance between experiments of one cell line, as a share of that within them."""
    within, among = [], []
    for k in sorted(set(kind)):
        means = [values[(kind == k) & (batch == b)].mean(0) for b in sorted(set(batch[kind == k]))]
        among.append(np.var(means, axis=0))
        within += [values[batch == b].var(0) + 1e-6 for b in set(batch[kind == k])]
    return float(np.mean(among) / np.mean(within))


def test_images_are_of_eight_bits_and_neither_dark_nor_white(tmp_path: Path):
    for path in sorted(written(tmp_path, images=16).rglob("*.png")):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape == (128, 128)
        assert image.dtype == np.uint8
        assert image.max() < 255 or (image == 255).mean() < 0.05
        assert image.max() > 12
