from __future__ import annotations

import json
import logging
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from bench.adapters.registry import load as load_adapter
from bench.errors import DataError
from bench.images import BadImage
from bench.imaging.decode import decode
from bench.imaging.prepare import load, prepare
from bench.interfaces import Dataset, Generator, Run
from bench.layouts.collages import Collages
from tests.conftest import snapshot

NITRATE = "7-Pygsuia-SF-SW-NITRATE-day5-sample3-replicate3-08April2024"
SULFATE = "7-Pygsuia-SF-SW-sulfate-day5-sample2-replicate3-08April2024"
COMICS = "flowcam_COMICS_DY086_20171118_MSC019_t0_4x"
RUN = "Mesocosm-bag1 (day01)"


def flowcam(**parameters: Any) -> Dataset:
    return cast(Dataset, load_adapter("dataset", "flowcam").model_validate(parameters))


def opened(root: Path, **parameters: Any) -> Collages:
    images = flowcam(**parameters).open(root)
    assert isinstance(images, Collages)
    return images


def make_run(folder: Path, threads: int = 1) -> Run:
    return Run(0, threads, "cpu", "float32", logging.getLogger("test"), folder, lambda *_: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made")
    adapter = load_adapter("generator", "flowcam").model_validate({"images": 40, "bags": 2, "days": 1})
    cast(Generator, adapter).write(root, make_run(root))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "root"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new), newline="")


def lst(root: Path, run: str = RUN) -> Path:
    return root / run / f"{run}.lst"


def with_field(path: Path, row: int, field: str, value: str) -> int:
    """Change one value of an .lst, and return the line."""
    lines = path.read_text().split("\n")
    names = [line.split("|")[0] for line in lines[2:67]]
    values = lines[67 + row].split("|")
    values[names.index(field)] = value
    lines[67 + row] = "|".join(values)
    path.write_text("\n".join(lines))
    return 68 + row


def test_ids_groups_labels_and_pixels(root: Path):
    images = opened(root)
    table = images.table
    assert len(table) == 40
    assert list(table["id"][:2]) == [f"{RUN}/1", f"{RUN}/2"]
    assert set(table["run"]) == {RUN, "Mesocosm-bag2 (day01)"}
    assert set(table["bag"]) == {"1", "2"}
    assert table["day"].dtype == "Int64"
    assert set(table["day"]) == {1}
    assert table["label"].notna().all()
    assert (images.channels, images.fill, images.group, images.dtype) == (3, "border", "run", np.uint8)
    collage = decode(root / RUN / f"{RUN}_000001.tif", grey=False)
    for row in range(20):
        x, y, width, height = images.boxes[row]
        np.testing.assert_array_equal(images.read(row), collage[y : y + height, x : x + width])
    assert images.where(3) == f"{lst(root)}:71"


def test_files_are_what_decides(root: Path):
    names = [f.relative_to(root).as_posix() for f in flowcam().files(root)]
    run = [f"{RUN}/{name}" for name in (f"{RUN}.lst", f"{RUN}_000001.tif", "cal_image_000001.tif")]
    assert names == [*run, *(n.replace("bag1", "bag2") for n in run), "labels.csv", "runs.csv"]
    masked = {f.name for f in flowcam(mask=True).files(root)}
    assert masked - {Path(n).name for n in names} == {
        f"{RUN}_000001_bin.tif",
        "Mesocosm-bag2 (day01)_000001_bin.tif",
    }
    by_pattern = flowcam(run_pattern="(?P<bag>.)", labels=root / "labels.csv").files(root)
    assert {f.suffix for f in by_pattern} == {".lst", ".tif"}
    assert {f.suffix for f in flowcam(source_table="csv").files(root)} == {".csv", ".tif"}
    (root / RUN / "rawfile_000001.tif").touch()
    (root / ".hidden").mkdir()
    shutil.copy(lst(root), root / ".hidden/x.lst")
    assert flowcam().files(root) == [root / name for name in names]


def test_the_export_says_the_same(root: Path):
    expected = opened(root)
    for source in (flowcam(source_table="csv").open(root), _without(root, "*/*.lst")):
        assert isinstance(source, Collages)
        np.testing.assert_array_equal(source.boxes, expected.boxes)
        assert source.table.equals(expected.table)
        assert source.where(0) == f"{root / RUN / RUN}.csv:2"


def _without(root: Path, pattern: str) -> Collages:
    for path in root.glob(pattern):
        path.unlink()
    return opened(root)


def test_masks_let_only_the_particle_be_seen(root: Path):
    plain, masked = opened(root, grey=True), opened(root, grey=True, mask=True, fill=7)
    for row in range(40):
        changed = masked.read(row) != plain.read(row)
        assert set(masked.read(row)[changed]) == {7}
        assert np.count_nonzero(~changed) >= plain.raw_area[row]
    assert (masked.raw_area == plain.raw_area).all()


def test_what_cannot_be_used_is_listed(root: Path, tmp_path: Path):
    path = lst(root)
    shutil.copy(root / RUN / f"{RUN}_000001.tif", tmp_path / "secret.tif")
    (root / RUN / "link.tif").symlink_to(tmp_path / "secret.tif")
    names = ["../../secret.tif", "..", "/etc/secret.tif", "..\\x.tif", "link.tif", "rawfile_1.tif"]
    names += [path.name, ""]
    lines = [with_field(path, row, "collage_file", name) for row, name in enumerate(names)]
    lines.append(with_field(path, len(names), "collage_file", "gone.tif"))
    images = opened(root)
    assert len(images.table) == 31
    shown = [f"{RUN}/{path.name}:{line}: {n!r}" for line, n in zip(lines, [*names, "gone.tif"], strict=True)]
    what = "records whose collage is no image beside the table"
    notes = cast(dict[str, Any], images.notes)
    assert {k: v for k, v in notes.items() if k != "stuck particles"} == {
        what: {"count": 8, "first": notes[what]["first"]},
        "records whose collage is missing": {"count": 1, "first": [shown[-1]]},
        "labels without a particle": notes["labels without a particle"],
    }
    assert sorted(notes[what]["first"]) == sorted(s[:-1] + "'" for s in shown[:-1])
    assert notes["labels without a particle"]["count"] == 9
    assert root / RUN / "link.tif" not in flowcam().files(root)


def test_missing_masks_and_collages(root: Path):
    (root / RUN / f"{RUN}_000001_bin.tif").unlink()
    assert len(opened(root).table) == 40
    masked = opened(root, mask=True)
    assert len(masked.table) == 20
    note = cast(dict[str, Any], masked.notes["records whose mask is missing"])
    assert note["count"] == 20
    assert note["first"][0] == f"{RUN}/{RUN}.lst:68: '{RUN}_000001.tif'"
    (root / RUN / f"{RUN}_000001.tif").unlink()
    images = opened(root)
    assert len(images.table) == 20
    assert images.notes["runs without any usable collage"] == {"count": 1, "first": [f"{RUN}/{RUN}.lst"]}
    (root / "Mesocosm-bag2 (day01)/Mesocosm-bag2 (day01)_000001.tif").unlink()
    with pytest.raises(
        DataError, match=r"no usable particle in 2 tables: .*40 records whose collage is missing"
    ):
        opened(root)


def test_crops_out_of_the_collage_are_bad_images(root: Path, tmp_path: Path):
    line = with_field(lst(root), 4, "image_x", "1290")
    far = with_field(lst(root), 5, "image_w", "2147483647")
    folder = tmp_path / "prepared"
    folder.mkdir()
    prepare(flowcam().open(root), flowcam(), folder, make_run(tmp_path, threads=2))
    described = json.loads((folder / "set.json").read_text())
    assert described["n"] == 38
    assert [bad["where"] for bad in described["bad_images"]] == [f"{lst(root)}:{line}", f"{lst(root)}:{far}"]
    assert all("extends beyond the collage" in bad["what"] for bad in described["bad_images"])


def test_two_runs_of_one_name_are_told_apart_by_their_paths(root: Path):
    lst(root).rename(root / RUN / "a.lst")
    for bag in ("bag1", "bag2"):
        shutil.copytree(root / RUN, root / bag / "x")
    shutil.rmtree(root / RUN)
    images = opened(root, run_pattern=r"bag(?P<bag>\d)/")
    assert list(images.table["run"].unique()) == ["Mesocosm-bag2 (day01)", "bag1/x/a", "bag2/x/a"]
    groups = images.table.groupby("run")["bag"].first()
    assert (groups["bag1/x/a"], groups["bag2/x/a"]) == ("1", "2")
    assert images.table["id"].is_unique
    shutil.copy(root / "bag1/x/a.lst", root / "bag1/x/a.flb")
    with pytest.raises(DataError, match=r"bag1/x/a\.flb and bag1/x/a\.lst are tables of one run"):
        opened(root)


def test_a_library_export_is_read_without_masks(root: Path):
    run = root / "Mesocosm-bag2 (day01)"
    (run / f"{run.name}.lst").rename(run / "library.flb")
    for mask in run.glob("*_bin.tif"):
        mask.unlink()
    images = opened(root)
    assert "library" in set(images.table["run"])
    assert len(images.table) == 40
    assert len(opened(root, mask=True).table) == 20


def test_labels_by_every_key(root: Path):
    expected = opened(root).table["label"]
    ids = opened(root).table["id"]
    by_id = root / "by_id.csv"
    by_id.write_text("id,label\n" + "".join(f"{i},{v}\n" for i, v in zip(ids, expected, strict=True)))
    assert opened(root, labels=by_id).table["label"].equals(expected)
    pairs = [(*i.rsplit("/", 1), v) for i, v in zip(ids, expected, strict=True)]
    by_id.write_text("run,particle,class\n" + "".join(f"{r},{p},{v}\n" for r, p, v in pairs[:-3]))
    found = opened(root, labels=by_id).table["label"]
    assert found[:-3].equals(expected[:-3])
    assert found[-3:].isna().all()
    (root / "labels.csv").unlink()
    assert opened(root).table["label"].isna().all()


def test_mapping_by_file(root: Path):
    path = root / "other.csv"
    path.write_text(f"run,bag,day,split\n{RUN},ocean,23,train\n")
    images = opened(root, mapping=path)
    assert list(images.table.loc[0, ["bag", "day", "split"]]) == ["ocean", 23, "train"]
    assert images.table.loc[20:, ["bag", "day", "split"]].isna().all(axis=None)
    assert images.notes["runs that the mapping lacks"] == {"count": 1, "first": ["Mesocosm-bag2 (day01)"]}
    (root / "runs.csv").unlink()
    assert "bag" not in opened(root).table


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"run_pattern": "bag(?P<bag>"}, "is not a regular expression"),
        ({"run_pattern": "bag(.)"}, "names no group"),
        ({"run_pattern": "(?P<id>.)"}, "'id' is a column of every table"),
        ({"run_pattern": "(?P<bag>.)" + "a" * 500}, "at most 500"),
        ({"run_pattern": "(?P<bag>.)", "mapping": "x.csv"}, "not both"),
        ({"fill": 256}, "less than or equal to 255"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        flowcam(**parameters)


def test_a_wrong_root_is_an_error(tmp_path: Path):
    with pytest.raises(DataError, match="is not a folder"):
        flowcam().files(tmp_path / "missing")
    (tmp_path / "a.csv").write_text("run,bag\n")
    for source, wanted in (
        ("auto", r"no \.lst, \.flb or \.csv export"),
        ("lst", r"\.lst or"),
        ("csv", "export"),
    ):
        with pytest.raises(DataError, match=wanted):
            flowcam(source_table=source).open(tmp_path)


def test_older_and_later_formats_are_refused_by_name(root: Path):
    change(lst(root), "017\n", "016\n")
    with pytest.raises(DataError, match=r"day01\)\.lst:1: has version 016"):
        opened(root)
    lst(root).unlink()
    (root / RUN / f"{RUN}.csv").write_text("Capture ID,UUID,Area (ABD) [um2]\n")
    with pytest.raises(DataError, match="VisualSpreadsheet 5 or later"):
        opened(root)


def test_tables_that_lead_out_of_the_root_are_not_read(root: Path, tmp_path: Path):
    shutil.move(lst(root), tmp_path / "outside.lst")
    lst(root).symlink_to(tmp_path / "outside.lst")
    images = opened(root, source_table="lst")
    assert set(images.table["run"]) == {"Mesocosm-bag2 (day01)"}
    what = "tables that lead out of the dataset or have unreadable names"
    assert images.notes[what] == {"count": 1, "first": [f"{RUN}/{RUN}.lst"]}
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(root / "labels.csv", tmp_path / "elsewhere")
    (root / "labels.csv").unlink()
    (root / "labels.csv").symlink_to(tmp_path / "elsewhere/labels.csv")
    assert opened(root).table["label"].isna().all()


def test_checks_find_wrong_areas_and_counts(root: Path):
    images = opened(root)
    checks = flowcam().checks(root, images)
    assert [(c.expected, c.found) for c in checks] == [(40, 40), (20, 20), (20, 20)]
    with_field(lst(root), 0, "raw_area", "1.0")
    with_field(lst(root), 1, "image_x", "x")
    checks = flowcam().checks(root, opened(root))
    assert [(c.expected, c.found) for c in checks] == [(39, 38), (20, 19), (20, 20)]
    for path in root.glob("*/*_bin.tif"):
        path.unlink()
    assert len(flowcam().checks(root, images)) == 2


@pytest.mark.slow
def test_nothing_is_written_and_damaged_tables_end_in_an_error_or_a_listed_skip(root: Path):
    path = lst(root)
    whole = path.read_bytes()
    outside = snapshot(root.parent)
    rng = random.Random(1)
    outcomes = set()
    for i in range(60):
        data = bytearray(whole)
        if i % 3 == 0:
            data = data[: rng.randrange(len(data))]
        for _ in range(rng.randint(1, 30)):
            if data:
                data[rng.randrange(len(data))] = rng.choice([*b"\0\r\n|./\\-90\xff"])
        path.write_bytes(bytes(data))
        try:
            images = opened(root)
        except DataError:
            outcomes.add("error")
            continue
        found = list(images.read_many(range(len(images.table))))
        outcomes |= {"good" for f in found if not isinstance(f, BadImage)}
        outcomes |= {"listed"} if len(images.notes) > 1 else set()
    assert outcomes == {"error", "good", "listed"}
    path.write_bytes(whole)
    after = snapshot(root.parent)
    assert {k: v[2] for k, v in outside.items()} == {k: v[2] for k, v in after.items()}


@pytest.fixture(scope="module")
def real(samples: Path) -> Path:
    if not (samples / "flowcam/vickot_run").is_dir():
        pytest.skip(f"no real runs: {samples / 'flowcam'} is absent")
    return samples / "flowcam"


def test_the_real_runs(real: Path):
    dataset = flowcam(
        labels=real / "vickot_run/labels_from_class_folders.csv", run_pattern=r"-day(?P<day>\d+)"
    )
    images = dataset.open(real)
    assert isinstance(images, Collages)
    assert images.table["run"].value_counts().to_dict() == {NITRATE: 1000, SULFATE: 1000, COMICS: 506}
    row = list(images.table["id"]).index(f"{NITRATE}/1")
    assert images.boxes[row].tolist() == [0, 0, 22, 22]
    assert images.raw_area[row] == 25
    assert images.where(row).endswith(f"{NITRATE}.lst:68")
    assert images.table.groupby(["run", "label"]).size().to_dict() == {
        (NITRATE, "Junk"): 845,
        (NITRATE, "Missed"): 135,
        (NITRATE, "Protist"): 20,
        (SULFATE, "Junk"): 717,
        (SULFATE, "Missed"): 96,
        (SULFATE, "Protist"): 187,
    }
    assert images.table.loc[images.table["run"] != COMICS, "day"].eq(5).all()
    assert images.table.loc[images.table["run"] == COMICS, "day"].isna().all()
    assert cast(dict[str, Any], images.notes["labels without a particle"])["count"] == 1000
    assert images.notes["stuck particles"] == {NITRATE: 13, SULFATE: 21}
    assert set(images.notes) == {
        "labels without a particle",
        "runs that run_pattern does not match",
        "stuck particles",
    }
    assert not [f for f in images.read_many(range(2506)) if isinstance(f, BadImage)]
    assert [(c.expected, c.found) for c in dataset.checks(real, images)] == [(2506, 2506), (1000, 1000)]


def test_the_real_crops_are_those_of_the_author(real: Path):
    images = opened(real / "vickot_run", labels=real / "vickot_run/labels_from_class_folders.csv")
    guids = _image_ids(real / f"vickot_run/{NITRATE}/{NITRATE}.lst")
    crops = sorted((real / "vickot_run/reference_crops").glob("*.png"))
    assert len(crops) == 8
    for path in crops:
        row = list(images.table["id"]).index(f"{NITRATE}/{guids.index(path.stem[-36:]) + 1}")
        expected = cv2.imread(str(path))
        assert expected is not None
        np.testing.assert_array_equal(images.read(row), expected[..., ::-1])


def _image_ids(path: Path) -> list[str]:
    return [line.rsplit("|", 1)[-1] for line in path.read_text().split("\n")[67:] if line]


def test_the_real_export_says_what_the_table_says(real: Path):
    folder = real / f"vickot_run/{NITRATE}"
    table, export = opened(folder), opened(folder, source_table="csv")
    np.testing.assert_array_equal(table.boxes, export.boxes)
    assert table.table.equals(export.table)


def test_real_stuck_particles_look_alike(real: Path):
    images = opened(real / "vickot_run", grey=True)
    crops = list(images.read_many(range(2000)))
    stuck = np.flatnonzero(images.table["stuck"])
    likeness = [_best_likeness(crops, images, int(row), stuck) for row in stuck]
    others = [_best_likeness(crops, images, row, stuck) for row in range(0, 2000, 40)]
    assert np.median(likeness) > 0.7
    assert np.median(likeness) > np.median(others) + 0.2


def _best_likeness(crops: Sequence[Any], images: Collages, row: int, candidates: Any) -> float:
    """Return the highest correlation of a crop with one of the candidates of almost its size, of its run."""
    own, best = crops[row][..., 0].astype(float), -1.0
    for other in candidates:
        if other == row or images.record[other, 0] != images.record[row, 0]:
            continue
        image = crops[other][..., 0].astype(float)
        if np.abs(np.subtract(image.shape, own.shape)).max() > 4:
            continue
        height, width = np.minimum(image.shape, own.shape) - 2
        best = max(
            best,
            *(
                np.corrcoef(own[1 : 1 + height, 1 : 1 + width].ravel(), shifted.ravel())[0, 1]
                for dy in range(image.shape[0] - height + 1)
                for dx in range(image.shape[1] - width + 1)
                for shifted in [image[dy : dy + height, dx : dx + width]]
            ),
        )
    return float(best)


def test_the_real_runs_prepared(real: Path, tmp_path: Path):
    dataset = flowcam(mask=True)
    prepare(dataset.open(real), dataset, tmp_path, make_run(tmp_path, threads=2))
    pixels = load(tmp_path, labels=False).pixels
    assert pixels.shape == (2506, 3, 64, 64)
    assert (pixels[:, :, 0, 0] == 166).mean() > 0.99
    assert (pixels != 166).any((1, 2, 3)).all()
