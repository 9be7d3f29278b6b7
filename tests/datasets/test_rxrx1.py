from __future__ import annotations

import csv
import json
import logging
import shutil
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.adapters.registry import load as load_adapter
from bench.errors import DataError
from bench.imaging.prepare import prepare
from bench.interfaces import Dataset, Generator, Run

COLUMNS = "site_id,well_id,cell_type,dataset,experiment,plate,well,site,well_type,sirna,sirna_id"


def rxrx1(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "rxrx1").model_validate(parameters))


def make_run(tmp_path: Path) -> Run:
    return Run(0, 1, "cpu", "float32", logging.getLogger("test"), tmp_path, lambda *_: None)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rxrx1")
    generator = load_adapter("generator", "rxrx1").model_validate({"images": 32, "side": 32})
    cast(Generator, generator).write(root, make_run(root))
    return root


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "root"))


def rows(root: Path) -> list[dict[str, str]]:
    with (root / "rxrx1/metadata.csv").open(newline="") as f:
        return list(csv.DictReader(f))


def to_kaggle(root: Path, *, string: bool) -> None:
    """Turn the official layout into that of the Kaggle archive."""
    tables: dict[str, list[str]] = {}
    for row in rows(root):
        if row["site"] == "2":
            continue
        control = row["well_type"] != "treatment"
        values = [row["well_id"], row["experiment"], row["plate"], row["well"]]
        header = "id_code,experiment,plate,well"
        if row["dataset"] == "train" or control:
            untreated = "UNTREATED" if row["sirna_id"] == "1138" else f"sirna_{row['sirna_id']}"
            values.append(untreated if string else row["sirna_id"])
            header += ",sirna"
        if control:
            values.append(row["well_type"])
            header += ",well_type"
        name = row["dataset"] + ("_controls" if control else "")
        tables.setdefault(name, [header]).append(",".join(values))
        target = root / row["dataset"] / row["experiment"]
        target.parent.mkdir(exist_ok=True)
        source = root / "rxrx1/images" / row["experiment"]
        if source.is_dir():
            source.rename(target)
    shutil.rmtree(root / "rxrx1")
    for name, lines in tables.items():
        (root / f"{name}.csv").write_text("\n".join([*lines, ""]))


@pytest.mark.slow
def test_the_table_says_what_the_csv_says(root: Path):
    images = rxrx1().open(root)
    table = images.table
    assert images.group == "plate"
    assert images.notes == {}
    assert len(table) == 32
    for row, facts in zip(rows(root), table.to_dict("records"), strict=True):
        assert facts["id"] == row["site_id"]
        assert facts["label"] == facts["cell_type"] == row["cell_type"]
        assert facts["split"] == row["dataset"]
        assert facts["plate"] == f"{row['experiment']}/Plate{row['plate']}"
        assert (facts["well"], str(facts["site"]), facts["sirna"]) == (row["well"], row["site"], row["sirna"])
    assert table.groupby("experiment")["split"].nunique().eq(1).all()
    assert list(rxrx1(label="sirna").open(root).table["label"]) == [r["sirna"] for r in rows(root)]


def test_pixels_are_those_of_the_stains_in_order(root: Path):
    images = rxrx1(channels="all").open(root)
    row = rows(root)[5]
    stem = root / f"rxrx1/images/{row['experiment']}/Plate{row['plate']}/{row['well']}_s{row['site']}"
    planes = [cv2.imread(f"{stem}_w{c}.png", cv2.IMREAD_UNCHANGED) for c in range(1, 7)]
    wanted = np.dstack([p for p in planes if p is not None])
    np.testing.assert_array_equal(images.read(5), wanted)
    some = rxrx1(channels=("golgi", "nuclei")).open(root)
    assert some.channels == 2
    np.testing.assert_array_equal(some.read(5), wanted[..., [5, 0]])
    rgb = rxrx1().open(root).read(5)
    colours = np.array(
        [[19, 0, 249], [42, 255, 31], [255, 0, 25], [45, 255, 252], [250, 0, 253], [254, 255, 40]]
    )
    full = np.array([51, 107, 64, 191, 89, 191])
    assert np.abs(rgb - np.clip(wanted / full @ colours, 0, 255)).max() <= 0.51


def test_a_site_without_a_file_is_left_out_and_counted(root: Path):
    images = root / "rxrx1/images/HEPG2-01/Plate1"
    (images / "B02_s1_w4.png").unlink()
    (images / "B02_s2_w1.png").unlink()
    found = rxrx1().open(root)
    assert len(found.table) == 30
    assert found.notes == {
        "sites without all their files": {
            "count": 2,
            "first": [f"rxrx1/images/HEPG2-01/Plate1/B02_s{s}.png" for s in ("1_w4", "2_w1")],
        }
    }
    assert len(rxrx1(channels=("nuclei",)).open(root).table) == 31
    assert not any("B02_s1" in f.name for f in rxrx1().files(root) if "HEPG2-01/Plate1" in str(f))


@pytest.mark.parametrize(
    ("parameters", "kept"),
    [
        ({"experiments": ["HUVEC-*"]}, lambda r: r["experiment"].startswith("HUVEC")),
        ({"experiments": ["RPE-02"]}, lambda r: r["experiment"] == "RPE-02"),
        ({"sites": [2]}, lambda r: r["site"] == "2"),
        ({"experiments": ["U2OS-01"], "controls": "keep"}, lambda r: r["experiment"] == "U2OS-01"),
    ],
)
def test_parts_of_it(root: Path, parameters: dict[str, Any], kept: Any):
    wanted = [r["site_id"] for r in rows(root) if kept(r)]
    dataset = rxrx1(**parameters)
    assert wanted
    assert list(dataset.open(root).table["id"]) == wanted
    assert len(dataset.files(root)) == 1 + 6 * len(wanted)


@pytest.mark.slow
def test_controls_can_be_dropped(tmp_path: Path):
    generator = load_adapter("generator", "rxrx1").model_validate(
        {"images": 48, "side": 32, "experiments": 1, "plates": 1}
    )
    cast(Generator, generator).write(tmp_path, make_run(tmp_path))
    kinds = rxrx1().open(tmp_path).table["well_type"].value_counts().to_dict()
    assert kinds == {"negative_control": 8, "positive_control": 8, "treatment": 32}
    assert set(rxrx1(controls="drop").open(tmp_path).table["well_type"]) == {"treatment"}


def test_an_unknown_experiment_is_named(root: Path):
    with pytest.raises(DataError, match="no experiment named 'HUVEC-3'; did you mean 'HUVEC-0"):
        rxrx1(experiments=("HUVEC-3",)).open(root)


@pytest.mark.parametrize("string", [False, True])
def test_both_kaggle_csvs_give_the_same_set(root: Path, string: bool):
    before = rxrx1().open(root).table.set_index("id").sort_index()
    to_kaggle(root, string=string)
    found = rxrx1().open(root)
    after = found.table.set_index("id").sort_index()
    for column in ("label", "split", "experiment", "plate", "well", "site", "well_type"):
        assert list(after[column]) == list(before[column]), column
    assert found.notes == {}
    labels = rxrx1(label="sirna").open(root).table
    unknown = labels[(labels["split"] == "test") & (labels["well_type"] == "treatment")]
    assert unknown["label"].isna().all()
    assert "UNTREATED" in set(labels["label"]) if string else "1138" in set(labels["label"])


def test_the_rgb_variant_and_its_splits(root: Path):
    base = root / "rxrx1"
    for path in sorted(base.glob("images/*/*/*_w1.png")):
        planes = [cv2.imread(str(path).replace("_w1", f"_w{c}"), cv2.IMREAD_UNCHANGED) for c in (3, 2, 1)]
        cv2.imwrite(str(path).replace("_w1", ""), np.dstack([p for p in planes if p is not None]))
    for path in base.glob("images/*/*/*_w?.png"):
        path.unlink()
    base.rename(root / "rxrx1_v1.0")
    images = rxrx1().open(root)
    assert images.channels == 3
    assert images.group == "plate"
    assert len(images.table) == 32
    splits = images.table.groupby(["split", "site"]).size().to_dict()
    assert splits == {("train", 1): 8, ("id_test", 2): 8, ("test", 1): 8, ("test", 2): 8}
    first = next(iter(sorted(root.glob("rxrx1_v1.0/images/HEPG2-01/Plate1/B02_s1.png"))))
    stored = cv2.imread(str(first))
    assert stored is not None
    np.testing.assert_array_equal(images.read(0), stored[..., ::-1])
    with pytest.raises(DataError, match="use channels: rgb"):
        rxrx1(channels="all").open(root)


def test_rows_that_cannot_be_used_are_listed_with_their_line(root: Path):
    path = root / "rxrx1/metadata.csv"
    lines = path.read_text().splitlines()
    lines += [lines[1], "too,short", ",,HUVEC,train,,1,B02,1,,,", ",,HUVEC,train,HUVEC-01,1,B02,7,,,"]
    path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    images = rxrx1().open(root)
    assert len(images.table) == 32
    assert images.notes["rows left out"] == {
        "count": 4,
        "first": [
            f"{path}:35: has 2 fields, the header 11",
            f"{path}:34: repeats the id 'HEPG2-01_1_B02_1'",
            f"{path}:36: names no experiment, plate, well or site (1 or 2)",
            f"{path}:37: names no experiment, plate, well or site (1 or 2)",
        ],
    }


@pytest.mark.parametrize("where", ["..", "../..", "/etc", "out", "a\\..\\..", "x" * 300])
def test_a_csv_leads_nowhere_outside(root: Path, where: str):
    outside = root.parent / "Plate1"
    outside.mkdir()
    for c in range(1, 7):
        (outside / f"B02_s1_w{c}.png").touch()
    (root / "rxrx1/images/out").symlink_to(root.parent)
    line = f"evil,evil,HUVEC,train,{where},1,B02,1,treatment,s1,1"
    path = root / "rxrx1/metadata.csv"
    path.write_text(f"{COLUMNS}\n{line}\n")
    with pytest.raises(DataError, match="no images of 1 sites"):
        rxrx1().open(root)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (COLUMNS.encode(), "no images of 0 sites"),
        (b"a,b\n", "has no column 'experiment'"),
        (COLUMNS.encode() + b"\n\x81", "is not UTF-8"),
        (COLUMNS.encode() + b"\n\0", "zero bytes"),
    ],
)
def test_a_bad_csv_ends_with_a_sentence(root: Path, data: bytes, said: str):
    (root / "rxrx1/metadata.csv").write_bytes(data)
    for call in (rxrx1().open, rxrx1().files):
        with pytest.raises(DataError, match=said):
            call(root)


def test_a_wrong_root_is_an_error(tmp_path: Path):
    with pytest.raises(DataError, match="is not a folder"):
        rxrx1().open(tmp_path / "none")
    with pytest.raises(DataError, match=r"neither metadata\.csv nor train\.csv"):
        rxrx1().open(tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), cut=st.integers(0, 3000))
def test_any_csv_gives_a_set_or_a_sentence(root: Path, data: bytes, cut: int):
    path = root / "rxrx1/metadata.csv"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:cut] + data + whole[cut:])
        images = rxrx1().open(root)
        assert images.table["id"].is_unique
        assert 0 < len(images.table) <= 32
    except DataError:
        pass
    finally:
        path.write_bytes(whole)


def test_damaged_images_are_listed_by_prepare(root: Path, tmp_path: Path):
    plate = root / "rxrx1/images/HEPG2-01/Plate1"
    (plate / "B02_s1_w3.png").write_bytes((plate / "B02_s1_w3.png").read_bytes()[:-30])
    (plate / "B02_s2_w6.png").write_bytes(b"text")
    huge = bytearray((plate / "B02_s2_w1.png").read_bytes())
    (root / "rxrx1/images/HUVEC-01/Plate1/B02_s1_w2.png").write_bytes(
        huge[:16] + b"\x7f\xff\xff\xff" * 2 + huge[24:]
    )
    out = tmp_path / "prepared"
    out.mkdir()
    dataset = rxrx1(size=16, channels="all")
    prepare(dataset.open(root), dataset, out, make_run(tmp_path))
    described = json.loads((out / "set.json").read_text())
    assert described["n"] == 29
    assert [bad["where"].split("images/")[1] for bad in described["bad_images"]] == [
        "HEPG2-01/Plate1/B02_s1_w1.png",
        "HEPG2-01/Plate1/B02_s2_w1.png",
        "HUVEC-01/Plate1/B02_s1_w1.png",
    ]
    assert np.load(out / "images.npy").shape == (29, 6, 16, 16)


def test_known_numbers_are_compared_whatever_part_is_read(root: Path):
    dataset = rxrx1(experiments=("HUVEC-01",))
    checks = {c.what: c for c in dataset.checks(root, dataset.open(root))}
    assert checks["sites"].expected == 125_510
    assert checks["sites"].found == 32
    assert checks["experiments"].found == 8
    assert not checks["siRNAs"].ok
    assert sum(int(c.expected) for w, c in checks.items() if "wells" in w) == 125_510 / 2
    assert sum(int(c.found) for w, c in checks.items() if "wells" in w) == 16
