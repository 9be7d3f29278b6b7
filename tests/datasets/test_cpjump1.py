from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.adapters.registry import load as load_adapter
from bench.errors import DataError
from bench.imaging.prepare import prepare
from bench.interfaces import Dataset, Generator, Run
from bench.layouts.platemap import join
from bench.layouts.tablefile import read_table

SAMPLES = Path(os.environ.get("CUTJOIN_SAMPLES") or Path(__file__).parents[3] / "shared/samples") / "cpjump1"
real = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no real images: {SAMPLES} is absent")
SOURCE = "cpg0000-jump-pilot/source_4"
BATCH = "2020_11_04_CPJUMP1"
PLATES = f"{SOURCE}/images/{BATCH}/images"
MEASURED = "__2020-11-05T19_51_35-Measurement1"
LISTS = f"{SOURCE}/workspace/load_data_csv/{BATCH}"
MAPS = f"{SOURCE}/workspace/metadata/platemaps/{BATCH}"


def cpjump1(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "cpjump1").model_validate(parameters))


def make_run(tmp_path: Path) -> Run:
    return Run(0, 1, "cpu", "float32", logging.getLogger("test"), tmp_path, lambda *_: None)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cpjump1")
    generator = load_adapter("generator", "cpjump1").model_validate({"images": 44, "fields": 2, "side": 32})
    cast(Generator, generator).write(root, make_run(root))
    return root


@pytest.fixture
def root(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "root"))


def images_of(root: Path, plate: int) -> Path:
    return root / PLATES / f"BR0011699{plate}{MEASURED}" / "Images"


@pytest.mark.slow
def test_pixels_are_those_of_the_channels_in_order(root: Path):
    images = cpjump1(channels=("AGP", "DNA")).open(root)
    table = images.table
    assert (images.channels, images.dtype, images.group) == (2, np.uint16, "plate")
    assert images.notes == {}
    assert len(table) == 44
    for row in (0, 17, 43):
        plate, field = table["id"][row].split("/")
        folder = root / PLATES / f"{plate}{MEASURED}/Images"
        stored = [tifffile.imread(folder / f"{field}p01-ch{k}sk1fk1fl1.tiff") for k in (2, 5)]
        np.testing.assert_array_equal(images.read(row), np.dstack(stored))
        assert images.read(row).max() > 255
        assert table["well"][row] == f"{chr(64 + table['row'][row])}{table['column'][row]:02d}"
        assert field == f"r{table['row'][row]:02d}c{table['column'][row]:02d}f{table['site'][row]:02d}"


def test_labels(root: Path):
    table = cpjump1().open(root).table
    assert Counter(table["label"]) == {"perturbed": 36, "control": 8}
    assert set(table.loc[table["label"] == "control", "perturbation"]) == {"DMSO"}
    assert list(cpjump1(label="perturbation").open(root).table["label"]) == list(table["perturbation"])
    target = cpjump1(label="target").open(root).table
    assert target["label"].isna().sum() == 8
    assert set(target["label"].dropna()) <= {f"GENE{k}" for k in range(1, 7)}
    assert set(table["cell_type"]) == {"A549"}
    assert set(table["hours"]) == {"48"}


def test_intensities_are_scaled_by_plate_unless_told_otherwise():
    assert cpjump1().normalise == "per_group"
    assert cpjump1(normalise="none").normalise == "none"
    with pytest.raises(ValueError, match="names a channel twice"):
        cpjump1(channels=("DNA", "ER", "DNA"))


def test_parts_of_it(root: Path):
    everything = cpjump1().open(root).table
    assert set(cpjump1(plates=("*1",)).open(root).table["plate"]) == {"BR00116991"}
    assert set(cpjump1(fields=(2,)).open(root).table["site"]) == {2}
    some = cpjump1(plates=("BR00116992",), fields=(1,), channels=("RNA",))
    expected = everything[(everything["plate"] == "BR00116992") & (everything["site"] == 1)]
    assert list(some.open(root).table["id"]) == list(expected["id"])
    assert sum(f.suffix == ".tiff" for f in some.files(root)) == len(expected)
    with pytest.raises(DataError, match="no plate named 'BR00116993'; did you mean"):
        cpjump1(plates=("BR00116993",)).open(root)


def test_both_ways_to_list_the_fields_agree(root: Path):
    by_name = cpjump1(layout="files").open(root)
    by_list = cpjump1(layout="load_data").open(root)
    order = by_list.table.sort_values("id", kind="stable")
    assert order.reset_index(drop=True).equals(by_name.table.sort_values("id").reset_index(drop=True))
    row = int(by_list.table.index[by_list.table["id"] == by_name.table["id"][3]][0])
    np.testing.assert_array_equal(by_list.read(row), by_name.read(3))


@pytest.mark.parametrize("place", ["", "cpjump1/", "cpjump1/cpg0000-jump-pilot/source_4/"])
def test_every_place_where_it_may_lie(root: Path, place: str):
    expected = cpjump1().open(root).table
    other = root.parent / "other"
    (other / place).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(root / SOURCE, other / place, dirs_exist_ok=True)
    assert cpjump1().open(other).table.equals(expected)


def test_a_flat_copy_is_found_too(root: Path):
    expected = cpjump1().open(root).table
    other = root.parent / "other"
    shutil.copytree(root / PLATES, other)
    shutil.copytree(root / SOURCE / "workspace/metadata", other / "metadata")
    found = cpjump1().open(other)
    assert found.table.equals(expected)
    assert found.notes == {
        "plates whose channels are numbered as documented, for want of load_data or an index": {
            "count": 2,
            "first": ["BR00116991", "BR00116992"],
        }
    }


def test_channel_numbers_come_from_the_index_if_there_is_one(root: Path):
    shutil.rmtree(root / SOURCE / "workspace/load_data_csv")
    dyes = {"Alexa 647": 5, "HOECHST 33342": 1, "Alexa 488": 4, "488 long": 3, "Alexa 568": 2}
    text = "".join(
        f"<Image><ChannelID>{k}</ChannelID>\n<FlimID>1</FlimID><ChannelName>{d}</ChannelName></Image>"
        for d, k in dyes.items()
    )
    (images_of(root, 1) / "Index.idx.xml").write_text(text)
    dataset = cpjump1(plates=("BR00116991",), channels=("DNA",))
    images = dataset.open(root)
    assert images.notes == {}
    assert images_of(root, 1) / "Index.idx.xml" in dataset.files(root)
    field = images.table["id"][0].split("/")[1]
    stored = tifffile.imread(images_of(root, 1) / f"{field}p01-ch1sk1fk1fl1.tiff")
    np.testing.assert_array_equal(images.read(0)[..., 0], stored)
    with pytest.raises(
        DataError, match="BR00116991 has no channel Brightfield; it has AGP, DNA, ER, Mito, RNA"
    ):
        cpjump1(plates=("BR00116991",), channels=("Brightfield",)).open(root)


def test_a_field_without_a_file_is_left_out_and_counted(root: Path):
    field = sorted(images_of(root, 2).glob("*-ch4*"))[0]
    field.unlink()
    for layout in ("files", "load_data"):
        found = cpjump1(layout=layout).open(root)
        assert len(found.table) == 43
        assert found.notes == {
            "fields without all their files, left out": {
                "count": 1,
                "first": [f"BR00116992/{field.name[:9]}"],
            }
        }
    assert len(cpjump1(channels=("DNA",)).open(root).table) == 44


def test_what_is_missing_is_named(root: Path, tmp_path: Path):
    with pytest.raises(DataError, match="is not a folder"):
        cpjump1().open(tmp_path / "none")
    with pytest.raises(DataError, match=r"neither images <plate>__<time>/Images/.* nor load_data_csv"):
        cpjump1().open(root / SOURCE / "workspace/metadata")
    with pytest.raises(DataError, match=r"no metadata_<plate>\.csv"):
        cpjump1(layout="aggregated").open(root)
    with pytest.raises(DataError, match="faithful_labels applies to the layout aggregated"):
        cpjump1(faithful_labels=True).open(root)
    (root / SOURCE / "workspace/metadata/external_metadata/JUMP-Target-1_compound_metadata.tsv").unlink()
    with pytest.raises(DataError, match=r"no JUMP-Target-1_compound_metadata\*\.tsv"):
        cpjump1().open(root)
    (root / MAPS / "platemap/JUMP-Target-1_compound_platemap.txt").unlink()
    with pytest.raises(DataError, match=r"no JUMP-Target-1_compound_platemap\.txt"):
        cpjump1().open(root)
    shutil.rmtree(root / MAPS)
    with pytest.raises(DataError, match=r"no platemaps/.*barcode_platemap\.csv .*get the part metadata"):
        cpjump1().open(root)


def test_wells_and_plates_without_facts_have_no_label(root: Path):
    path = root / MAPS / "platemap/JUMP-Target-1_compound_platemap.txt"
    lines = path.read_text().splitlines()
    table = cpjump1().open(root).table
    well = table.loc[table["label"] == "perturbed", "well"].iloc[0]
    path.write_text("\n".join([line for line in lines if not line.startswith(well)]))
    found = cpjump1().open(root)
    lost = found.table["well"] == well
    assert found.table.loc[lost, "label"].isna().all()
    assert found.table.loc[~lost, "label"].notna().all()
    assert "wells that are not in the plate map, label unknown" in found.notes
    (root / MAPS / "barcode_platemap.csv").write_text("Assay_Plate_Barcode,Plate_Map_Name\n")
    nothing = cpjump1().open(root)
    assert nothing.table["label"].isna().all()
    assert nothing.notes["plates without a plate map, label unknown"] == {
        "count": 2,
        "first": ["BR00116991", "BR00116992"],
    }


def write_list(root: Path, header: str, lines: list[str], name: str = "BR00116991/load_data.csv") -> Path:
    shutil.rmtree(root / LISTS)
    path = root / LISTS / name
    path.parent.mkdir(parents=True)
    text = "\n".join([header, *lines, ""]).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


FILE = "r01c01f01p01-ch5sk1fk1fl1.tiff"


@pytest.fixture
def one_field(root: Path) -> Path:
    """Leave one known file in the first plate: well A01, field 1, DNA."""
    some = sorted(images_of(root, 1).glob("*-ch5*"))[0].read_bytes()
    shutil.rmtree(root / PLATES)
    images_of(root, 1).mkdir(parents=True)
    (images_of(root, 1) / FILE).write_bytes(some)
    return root


@pytest.mark.parametrize("name", ["BR00116991/load_data.csv", "BR00116991/load_data_with_illum.csv.gz"])
@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("FileName_OrigDNA,PathName_OrigDNA", f"{FILE},/home/ubuntu/x/cpg0000-jump-pilot/source_4/{{path}}"),
        ("FileName_OrigDNA,PathName_OrigDNA", f"{FILE},C:\\data\\BR00116991{MEASURED}\\Images\\"),
        ("URL_OrigDNA", f"s3://cellpainting-gallery/cpg0000-jump-pilot/source_4/{{path}}/{FILE}"),
        ("FileName_OrigDNA,PathName_OrigDNA", f"{FILE},tests/data/Version1/images/"),
    ],
)
def test_listed_files_are_looked_up_below_the_root(one_field: Path, name: str, header: str, values: str):
    path = f"images/{BATCH}/images/BR00116991{MEASURED}/Images"
    columns = f"{header},Metadata_Plate,Metadata_Well,Metadata_Site"
    write_list(one_field, columns, [f"{values.format(path=path)},BR00116991,A01,1"], name)
    images = cpjump1(layout="load_data", channels=("DNA",)).open(one_field)
    assert list(images.table["id"]) == ["BR00116991/r01c01f01"]
    assert images.where(0).endswith(f"{path}/{FILE}")
    assert images.read(0).shape == (32, 32, 1)


@pytest.mark.parametrize(
    "where", ["/etc", "../../..", "a/../../..", "s3://x/..", "out", "/".join("ab" * 60000)]
)
def test_a_list_leads_nowhere_outside(one_field: Path, where: str):
    (one_field.parent / "secret.tiff").write_bytes((images_of(one_field, 1) / FILE).read_bytes())
    (one_field / "out").symlink_to(one_field.parent)
    header = "FileName_OrigDNA,PathName_OrigDNA,Metadata_Plate,Metadata_Well,Metadata_Site"
    for name in ("secret.tiff", "../secret.tiff", "passwd"):
        write_list(one_field, header, [f"{name},{where},BR00116991,A01,1"])
        with pytest.raises(DataError, match=r"without all their files|no images|131072|field"):
            cpjump1(layout="load_data", channels=("DNA",)).open(one_field)


def test_files_of_another_plate_are_not_taken_for_those_of_this(one_field: Path):
    images_of(one_field, 1).rename(one_field / "Images")
    header = "FileName_OrigDNA,PathName_OrigDNA,Metadata_Plate,Metadata_Well,Metadata_Site"
    lines = [f"{FILE},/data/Images,BR0011699{k},A01,1" for k in (1, 2)]
    write_list(one_field, header, lines)
    with pytest.raises(DataError, match="without all their files"):
        cpjump1(layout="load_data", channels=("DNA",)).open(one_field)
    write_list(one_field, header, lines[:1])
    assert len(cpjump1(layout="load_data", channels=("DNA",)).open(one_field).table) == 1


def test_rows_that_cannot_be_used_are_listed_with_their_line(one_field: Path):
    header = "FileName_OrigDNA,PathName_OrigDNA,Metadata_Plate,Metadata_Well,Metadata_Site"
    good = f"{FILE},/x/BR00116991{MEASURED}/Images,BR00116991,A01,1"
    path = write_list(one_field, header, [good, good, f"{FILE},/x,BR00116991,Z99,1", "1,2"])
    images = cpjump1(layout="load_data", channels=("DNA",)).open(one_field)
    assert images.notes["rows left out"] == {
        "count": 3,
        "first": [
            f"{path}:5: has 2 fields, the header 5",
            f"{path}:4: names no plate, well and site",
            f"{path}:3: repeats BR00116991/r01c01f01",
        ],
    }


@pytest.mark.slow
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), cut=st.integers(0, 2000), which=st.integers(0, 4))
def test_any_table_gives_a_set_or_a_sentence(root: Path, data: bytes, cut: int, which: int):
    path = sorted(p for p in root.rglob("*") if p.suffix in (".csv", ".tsv", ".txt"))[which]
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:cut] + data + whole[cut:])
        for layout in ("files", "load_data"):
            images = cpjump1(layout=layout).open(root)
            assert images.table["id"].is_unique
            assert 0 < len(images.table) <= 44
    except DataError:
        pass
    finally:
        path.write_bytes(whole)


def test_links_out_of_the_root_are_not_followed(root: Path):
    outside = root.parent / "outside"
    images_of(root, 2).rename(outside)
    images_of(root, 2).symlink_to(outside)
    assert set(cpjump1().open(root).table["plate"]) == {"BR00116991"}


def test_damaged_images_and_those_of_8_bits_are_listed_by_prepare(root: Path, tmp_path: Path):
    first, second, third = sorted(images_of(root, 1).glob("*-ch3*"))[:3]
    first.write_bytes(first.read_bytes()[:-300])
    tifffile.imwrite(second, np.zeros((32, 32), np.uint8))
    third.touch()
    third.write_bytes(b"")
    out = tmp_path / "prepared"
    out.mkdir()
    dataset = cpjump1(size=16)
    prepare(dataset.open(root), dataset, out, make_run(tmp_path))
    described = json.loads((out / "set.json").read_text())
    assert described["n"] == 41
    assert [bad["what"].split(".tiff: ")[-1].split(":")[0] for bad in described["bad_images"]] == [
        "cannot be decoded",
        "has pixels of uint8, not uint16",
        "is empty",
    ]


@pytest.fixture
def aggregated(tmp_path: Path) -> Path:
    """Write the single-plate variant: five fields, one without a row, one row without a field."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for k in range(1, 6):
        image = rng.integers(200, 40_000, (12, 12)).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"images/r01c{k:02d}f01_median_aggregated.tiff", image)
    names = {1: "DMSO", 2: "FK866", 3: "", 4: "NA", 9: "FK866"}
    lines = [
        f"r01c{k:02d}f01p01-ch3sk1fk1fl1.tiff,{n},{'negcon' if k == 4 else ''}" for k, n in names.items()
    ]
    header = "FileName_OrigRNA,Metadata_pert_iname,Metadata_control_type"
    (tmp_path / "metadata_BR00116991.csv").write_text("\n".join([header, *lines, lines[0]]))
    return tmp_path


def test_the_single_plate_variant(aggregated: Path):
    images = cpjump1().open(aggregated)
    assert (images.channels, images.dtype) == (1, np.uint16)
    assert list(images.table["id"]) == [f"BR00116991/r01c{k:02d}f01" for k in (1, 2, 3, 4)]
    labels = [None if label != label else label for label in images.table["label"]]
    assert labels == ["control", "perturbed", None, "control"]
    assert images.read(0).max() > 255
    where = str(aggregated / "metadata_BR00116991.csv")
    assert images.notes == {
        "images without a row, left out": {"count": 1, "first": ["r01c05f01_median_aggregated.tiff"]},
        "images without the name of a compound, label unknown": {
            "count": 1,
            "first": ["BR00116991/r01c03f01"],
        },
        "rows without an image, or that repeat one": {"count": 2, "first": [f"{where}:6", f"{where}:7"]},
    }
    assert len(cpjump1().files(aggregated)) == 5


def test_the_published_labels_of_the_single_plate_variant(aggregated: Path):
    table = cpjump1(faithful_labels=True).open(aggregated).table
    assert list(table["label"]) == ["control", "perturbed", "perturbed", "perturbed"]


@real
def test_the_three_real_images(tmp_path: Path):
    dataset = cpjump1(channels=("AGP", "RNA", "DNA"), size=128)
    images = dataset.open(SAMPLES)
    assert images.table.to_dict("records") == [
        {
            "id": "BR00117006/r01c01f01",
            "label": "perturbed",
            "plate": "BR00117006",
            "well": "A01",
            "row": 1,
            "column": 1,
            "site": 1,
            "perturbation": "ccsbBroad304_00900",
            "name": "KCNN1",
            "target": "KCNN1",
            "control_type": "trt",
            "cell_type": "A549",
            "hours": "96",
        }
    ]
    image = images.read(0)
    assert image.shape == (1080, 1080, 3)
    assert image.min((0, 1)).tolist() == [279, 248, 177]
    assert image.max((0, 1)).tolist() == [39_513, 56_064, 65_535]
    prepare(images, dataset, tmp_path, make_run(tmp_path))
    pixels = np.load(tmp_path / "images.npy")
    assert pixels.shape == (1, 3, 128, 128)
    assert (pixels.max((0, 2, 3)) > 60_000).all()
    assert (pixels.min((0, 2, 3)) < 700).all()


@real
def test_the_real_plate_maps():
    dataset = cpjump1(channels=("DNA",))
    checks = dataset.checks(SAMPLES, dataset.open(SAMPLES))
    assert [c.ok for c in checks] == [True, True, True, True, False]
    assert checks[-1].what == "images of plate BR00117006"
    maps = SAMPLES / "metadata/platemaps" / BATCH / "platemap"
    reagents = SAMPLES / "metadata/external_metadata"
    expected = {
        "compound": {"negcon": 64, "poscon_diverse": 28, "poscon_cp": 26, "poscon_orf": 6, "trt": 260},
        "crispr": {"negcon": 60, "poscon_diverse": 28, "poscon_cp": 26, "poscon_orf": 6, "trt": 260, None: 4},
        "orf": {"negcon": 60, "poscon_diverse": 28, "poscon_cp": 26, "poscon_orf": 6, "trt": 260, None: 4},
    }
    for kind, counts in expected.items():
        found = join(
            read_table(maps / f"JUMP-Target-1_{kind}_platemap.txt", delimiter="\t"),
            read_table(next(reagents.glob(f"*{kind}*")), delimiter="\t"),
        )
        assert Counter(t.control_type if t else None for t in found.treatments.values()) == counts
        assert not found.problems
        assert len(found.treatments) == 384
