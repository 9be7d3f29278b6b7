from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.adapters.registry import load as load_adapter
from bench.errors import DataError
from bench.images import ImageSet
from bench.imaging.prepare import load, prepare
from bench.imaging.selection import Selection, rows
from bench.interfaces import Dataset, Run
from tests.execute.runs import Bench

SAMPLES = (
    Path(os.environ.get("CUTJOIN_SAMPLES") or Path(__file__).parents[3] / "shared/samples")
    / "kaggle_plankton"
)
SIZES = {
    "acantharia_protist": 889,
    "copepod_calanoid": 681,
    "diatom_chain_string": 519,
    "fecal_pellet": 511,
    "protist_other": 1172,
}
SHARES: dict[Literal["fit", "score"], float] = {"fit": 0.9, "score": 0.1}
real = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no real images: {SAMPLES} is absent")


def kaggle(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "kaggle_plankton").model_validate(parameters))


def jpeg(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (9 + seed % 5, 12), np.uint8)
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for i, kind in enumerate(["copepod_a", "copepod_b", "fish", "fish_larvae"] * 3):
        path = tmp_path / f"root/train/{kind}/{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(i))
    return tmp_path / "root"


def make_run(tmp_path: Path) -> Run:
    return Run(0, 1, "cpu", "float32", logging.getLogger("test"), tmp_path, lambda *_: None)


def test_ids_labels_and_pixels(root: Path):
    images = kaggle().open(root)
    assert images.channels == 1
    assert images.fill == 255
    assert images.dtype is np.uint8
    assert len(images.table) == 12
    for row, (name, label) in enumerate(zip(images.table["id"], images.table["label"], strict=True)):
        path = root / f"train/{label}/{name}.jpg"
        expected = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert expected is not None
        np.testing.assert_array_equal(images.read(row)[..., 0], expected)


def test_every_place_where_the_class_folders_may_lie(root: Path):
    expected = kaggle().open(root).table
    for place in ("kaggle_plankton/train", "kaggle_plankton", "."):
        other = root.parent / ("other" + place.replace("/", "_"))
        shutil.copytree(root / "train", other / place)
        assert kaggle().open(other).table.equals(expected)
        assert {f.relative_to(other / place) for f in kaggle().files(other)} == {
            f.relative_to(root / "train") for f in kaggle().files(root)
        }


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"classes": ["fish"]}, {"fish"}),
        ({"classes": ["copepod_*", "fish"]}, {"copepod_a", "copepod_b", "fish"}),
        ({"exclude_classes": ["copepod_?"]}, {"fish", "fish_larvae"}),
        ({"classes": ["*_a", "fish*"], "exclude_classes": ["fish"]}, {"copepod_a", "fish_larvae"}),
    ],
)
def test_classes_limit_the_table_and_the_files(root: Path, parameters: dict[str, Any], expected: set[str]):
    dataset = kaggle(**parameters)
    assert set(dataset.open(root).table["label"]) == expected
    assert {f.parent.name for f in dataset.files(root)} == expected
    assert len(dataset.files(root)) == 3 * len(expected)


def test_errors_name_the_nearest_class(root: Path):
    with pytest.raises(DataError, match="no class named 'fsh'; did you mean 'fish'"):
        kaggle(classes=("fsh",)).open(root)
    with pytest.raises(DataError, match="no class named 'squid"):
        kaggle(exclude_classes=("squid*",)).files(root)
    with pytest.raises(DataError, match="of 0 classes"):
        kaggle(exclude_classes=("*",)).open(root)


def test_a_wrong_root_is_an_error(tmp_path: Path):
    with pytest.raises(DataError, match="is not a folder"):
        kaggle().open(tmp_path / "missing")
    with pytest.raises(DataError, match="of 0 classes"):
        kaggle().files(tmp_path)


def test_junk_is_not_part_of_the_set(root: Path):
    expected = kaggle().files(root)
    for junk in (".DS_Store", "fish/.DS_Store", "fish/Thumbs.db", "fish/._1.jpg", ".cache/9.jpg"):
        (root / "train" / junk).parent.mkdir(exist_ok=True)
        (root / "train" / junk).write_bytes(b"x")
    assert kaggle().files(root) == expected
    assert not kaggle().open(root).notes
    (root / "train/fish/list.csv").touch()
    (root / "train/fish/7777.jpg").mkdir()
    assert kaggle().files(root) == expected
    assert set(kaggle().open(root).notes) == {
        "files that are no images",
        "folders or special files where images are expected",
    }


def test_links_out_of_the_root_are_not_followed(root: Path):
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "900.jpg").write_bytes(jpeg(900))
    (root / "train/fish/900.jpg").symlink_to(outside / "900.jpg")
    (root / "train/squid").symlink_to(outside)
    images = kaggle().open(root)
    assert "900" not in set(images.table["id"])
    assert images.notes["links that lead out of the dataset"] == {
        "count": 2,
        "first": ["fish/900.jpg", "squid"],
    }
    linked = root.parent / "linked"
    linked.mkdir()
    (linked / "train").symlink_to(root / "train")
    with pytest.raises(DataError):
        kaggle().open(linked)


def test_identical_images_are_reported_and_those_with_two_labels_apart(root: Path):
    train = root / "train"
    shutil.copy(train / "fish/2.jpg", train / "fish_larvae/271.jpg")
    shutil.copy(train / "copepod_a/0.jpg", train / "copepod_a/272.jpg")
    padded = bytearray((train / "copepod_a/0.jpg").read_bytes())
    padded[-3] ^= 1  # same size, other content
    (train / "copepod_b/273.jpg").write_bytes(bytes(padded))
    (train / "fish/274.jpg").touch()
    (train / "copepod_b/275.jpg").touch()  # empty files say nothing about each other
    notes = kaggle().open(root).notes
    assert notes == {
        "identical images": [["copepod_a/0.jpg", "copepod_a/272.jpg"], ["fish/2.jpg", "fish_larvae/271.jpg"]],
        "identical images with two labels": [["fish/2.jpg", "fish_larvae/271.jpg"]],
    }
    within = kaggle(classes=("copepod_*",)).open(root).notes
    assert set(within) == {"identical images"}


def test_an_id_in_two_classes_is_refused(root: Path):
    shutil.copy(root / "train/fish/2.jpg", root / "train/copepod_a/2.jpg")
    with pytest.raises(DataError, match=r"copepod_a/2\.jpg and fish/2\.jpg share the id '2'"):
        kaggle().open(root)


def as_parquet(root: Path, target: Path, **options: Any) -> Path:
    """Write the images of class folders as Hugging Face does, in two files of small row groups."""
    files = sorted((root / "train").glob("*/*.jpg"))
    names = sorted({f.parent.name for f in files})
    table = pa.table(
        {
            "image": [{"bytes": f.read_bytes(), "path": f.name} for f in files],
            "label": [names.index(f.parent.name) for f in files],
        }
    )
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    target.mkdir(parents=True)
    half = len(files) // 2
    for i, part in enumerate((table.slice(0, half), table.slice(half))):
        pq.write_table(part, target / f"train-0000{i}-of-00002.parquet", row_group_size=4)
    return target


def as_rows(images: ImageSet) -> dict[str, tuple[str, bytes]]:
    table = images.table
    return {
        i: (label, images.read(row).tobytes())
        for row, (i, label) in enumerate(zip(table["id"], table["label"], strict=True))
    }


@pytest.mark.parametrize("place", [".", "data"])
@pytest.mark.parametrize(
    "parameters", [{}, {"classes": ["copepod_*", "fish"]}, {"exclude_classes": ["fish*"]}]
)
def test_parquet_holds_what_the_folders_hold(root: Path, place: str, parameters: dict[str, Any]):
    shutil.copy(root / "train/fish/2.jpg", root / "train/fish_larvae/271.jpg")
    as_parquet(root, root.parent / "pq" / place)
    folders, parquet = kaggle(**parameters).open(root), kaggle(**parameters).open(root.parent / "pq")
    assert as_rows(parquet) == as_rows(folders)
    assert set(parquet.table["split"]) == {"train"}
    assert (parquet.channels, parquet.dtype, parquet.fill) == (1, np.uint8, 255)
    twins = {k: [[n.removesuffix(".jpg") for n in g] for g in v] for k, v in folders.notes.items()}  # type: ignore[union-attr]
    assert parquet.notes == twins
    assert len(kaggle(**parameters).files(root.parent / "pq")) == 2


def test_class_folders_come_before_parquet(root: Path):
    expected = kaggle().files(root)
    as_parquet(root, root / "data")
    assert kaggle().files(root) == expected


def test_errors_of_parquet_name_classes_and_files(root: Path):
    folder = as_parquet(root, root.parent / "pq")
    with pytest.raises(DataError, match="no class named 'fsh'; did you mean 'fish'"):
        kaggle(classes=("fsh",)).open(folder)
    with pytest.raises(DataError, match="no image of 0 classes in 2 parquet files"):
        kaggle(exclude_classes=("*",)).open(folder)
    (folder / "train-00001-of-00002.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"train-00001-of-00002\.parquet: is not a parquet file"):
        kaggle().open(folder)


def test_parquet_that_links_out_of_the_root_is_not_read(root: Path):
    outside = as_parquet(root, root.parent / "outside")
    folder = as_parquet(root, root.parent / "pq")
    (folder / "z.parquet").symlink_to(outside / "train-00000-of-00002.parquet")
    (folder / "._a.parquet").touch()
    assert len(kaggle().files(folder)) == 2
    assert kaggle().open(folder).notes == {
        "links that lead out of the dataset": {"count": 1, "first": ["z.parquet"]}
    }
    (root.parent / "linked").mkdir()
    (root.parent / "linked/data").symlink_to(outside)
    with pytest.raises(DataError, match="no parquet file"):
        kaggle().files(root.parent / "linked")


def test_unlabelled_rows_stay_unless_classes_are_asked_for(tmp_path: Path):
    table = pa.table({"image": [jpeg(0), jpeg(1)], "label": ["fish", None]})
    pq.write_table(table, tmp_path / "a.parquet")
    images = kaggle().open(tmp_path)
    assert list(images.table["id"]) == ["a:0", "a:1"]
    assert images.table["label"].isna().tolist() == [False, True]
    assert set(images.notes) == {"ids"}
    assert len(kaggle(classes=("fish",)).open(tmp_path).table) == 1
    with pytest.raises(DataError, match="no class named"):
        kaggle(exclude_classes=("squid",)).open(tmp_path)


def test_checks_know_the_complete_data_and_tell_a_part_from_it(root: Path, monkeypatch: pytest.MonkeyPatch):
    part = kaggle().open(root)
    found = [(c.expected, c.found) for c in kaggle().checks(root, part)]
    assert found == [(30_336, 12), (121, 4), (9, 3), (1979, 3), (1, 0)]
    sizes = [9, 1979, *[238] * 119]
    sizes[2] += 30_336 - sum(sizes)
    labels = [f"c{i}" for i, n in enumerate(sizes) for _ in range(n)]
    part.table = pd.DataFrame({"id": range(len(labels)), "label": labels})
    part.notes = {"identical images with two labels": [["a/1.jpg", "b/2.jpg"]]}
    assert all(c.ok for c in kaggle().checks(root, part))


def test_small_classes_are_split_and_none_is_in_both_parts(tmp_path: Path):
    for kind, n in {"one": 1, "two": 2, "three": 3, "many": 30}.items():
        for i in range(n):
            path = tmp_path / f"train/{kind}/{kind}{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(i))
    table = kaggle().open(tmp_path).table
    for seed in range(5):
        fit, score = (
            table["label"].iloc[rows(table, Selection(fraction=share), part=part, seed=seed)].value_counts()
            for part, share in SHARES.items()
        )
        assert fit.to_dict() == {"one": 1, "two": 1, "three": 2, "many": 27}
        assert score.to_dict() == {"two": 1, "three": 1, "many": 3}


def test_a_suite_can_fit_without_classes_that_it_scores(tmp_path: Path):
    bench = Bench(tmp_path)
    learning = Path(__file__).parents[1] / "execute" / "learning"
    suite = bench.suite(
        "seeds: [0]\nbootstrap: {replicates: 20}\nlimits: {memory_gib: 2}\ndatasets:\n"
        "  - {name: Missing-copepod, use: kaggle_plankton, size: 12, synthetic: {images: 60}, "
        "fit: {exclude_classes: ['copepod*', spined_disc], fraction: 0.5}, score: {fraction: 0.5}}\n"
        "methods:\n"
        f"  - {{name: learned, encoder: {{use: {learning}/centred.py, diary: {tmp_path}/diary}}, "
        "clusterer: kmeans}\n",
        "missing",
    )
    done = bench.run("run", suite)
    assert done.returncode == 0, done.stderr
    tables = [pd.read_parquet(p) for p in (tmp_path / "store").rglob("table.parquet")]
    assert len(tables) == 1
    fitted = set((tmp_path / "diary").read_text().split()[1:])
    seen = tables[0][tables[0]["id"].isin(fitted)]["label"].value_counts()
    assert len(fitted) == seen.sum() > 10
    assert len(seen) == 4
    assert not set(seen.index) & {"copepod", "spined_disc"}
    record = bench.records("missing")["learned", 0]
    assert record.classes == 6
    assert record.status == "ok"


def test_hostile_files_are_listed_by_prepare(root: Path, tmp_path: Path):
    fish = root / "train/fish"
    (fish / "901.jpg").write_bytes(jpeg(901)[:-40])
    (fish / "902.jpg").write_text("text")
    (fish / "903.jpg").touch()
    folder = tmp_path / "prepared"
    folder.mkdir()
    dataset = kaggle(size=16)
    prepare(dataset.open(root), dataset, folder, make_run(tmp_path))
    described = json.loads((folder / "set.json").read_text())
    assert described["n"] == 12
    assert [(Path(b["where"]).name, b["what"].split(":")[0]) for b in described["bad_images"]] == [
        ("901.jpg", "is cut off"),
        ("902.jpg", "is not a JPEG, PNG, BMP, WebP or TIFF image"),
        ("903.jpg", "is empty"),
    ]
    strict = kaggle(size=16, on_bad_image="refuse")
    with pytest.raises(DataError, match=r"901\.jpg: is cut off"):
        prepare(strict.open(root), strict, folder, make_run(tmp_path))


def test_importing_the_datasets_loads_nothing_heavy():
    code = (
        "import sys, bench.datasets.kaggle_plankton, bench.datasets.image_folder;"
        "import bench.datasets.synthetic.plankton;"
        "print([m for m in ('numpy', 'pandas', 'cv2') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


@real
def test_the_real_images(tmp_path: Path):
    dataset = kaggle(size=64)
    images = dataset.open(SAMPLES)
    assert images.table["label"].value_counts().to_dict() == SIZES
    assert images.notes == {}
    prepare(images, dataset, tmp_path, make_run(tmp_path))
    described = json.loads((tmp_path / "set.json").read_text())
    assert described["bad_images"] == []
    assert described["n"] == described["n_labelled"] == sum(SIZES.values())
    assert described["classes"] == sorted(SIZES)
    read = load(tmp_path, labels=True)
    assert read.labels is not None
    assert np.bincount(read.labels).tolist() == [SIZES[k] for k in sorted(SIZES)]
    pixels = read.batch(0, len(read))
    assert (pixels[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]] > 230).mean() > 0.98  # white around the object
    assert (pixels.min((1, 2, 3)) < 255).all()  # and something in each


@real
def test_a_real_image_cut_off_anywhere_is_noticed(tmp_path: Path):
    source = kaggle(classes=("copepod_calanoid",)).files(SAMPLES)[0]
    whole = source.read_bytes()
    for length in range(0, len(whole), 10):
        path = tmp_path / f"copepod/{length}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole[:length])
    (tmp_path / "copepod/whole.jpg").write_bytes(whole)
    dataset = kaggle()
    folder = tmp_path / "prepared"
    folder.mkdir()
    prepare(kaggle(classes=("copepod",)).open(tmp_path), dataset, folder, make_run(tmp_path))
    assert list(load(folder, labels=False).ids) == ["whole"]
