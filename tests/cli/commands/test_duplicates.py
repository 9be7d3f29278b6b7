"""`bench data duplicates`, and the step of `bench check` that looks for copies that are fitted and scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench.datasets.synthetic.drawing.sprites import KINDS, draw

from bench.cli.commands.check import check_suite
from bench.cli.commands.duplicates import show_duplicates
from bench.cli.options.data import DuplicatesOptions
from bench.cli.options.groups import SuiteRef
from bench.cli.options.suites import CheckOptions
from bench.errors import UsageError
from bench.imaging.decode import decode
from tests.conftest import TINY, write_suite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder with 20 drawn images of each of two classes and no copies."""
    for k, kind in enumerate(list(KINDS)[:2]):
        target = tmp_path / "data" / "kaggle_plankton" / "train" / kind
        target.mkdir(parents=True)
        for i in range(20):
            image = draw(kind, np.random.default_rng([k, i]))
            cv2.imwrite(str(target / f"{k}{i:02}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return tmp_path / "data" / "kaggle_plankton"


def plant(folder: Path, image: str, copy: str, *, turned: bool = False) -> None:
    (source,) = folder.rglob(f"{image}.jpg")
    target = folder / "train" / copy
    if turned:
        cv2.imwrite(str(target), np.rot90(decode(source, grey=True)[..., 0]))
    else:
        shutil.copyfile(source, target)


def checked(suite: Path, base: Path, *, duplicates: bool = True, json: bool = False) -> CheckOptions:
    ref = SuiteRef(name=str(suite))
    return CheckOptions(suite=ref, data=base / "data", store=base / "store", duplicates=duplicates, json=json)


def searched(
    folder: Path, *settings: str, distance: float | None = None, json: bool = False
) -> DuplicatesOptions:
    return DuplicatesOptions(
        name="kaggle_plankton", root=folder, settings=list(settings), distance=distance, json=json
    )


def findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str = ""
) -> tuple[int, dict[str, str]]:
    text = TINY.replace("    synthetic: {images: 60}\n", more)
    suite = write_suite(tmp_path, text)
    code = check_suite(checked(suite, tmp_path, json=True))
    said = {f["what"]: f["said"] for f in json.loads(capsys.readouterr().out)}
    return code, said


def test_copies_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]):
    a, b = list(KINDS)[:2]
    plant(folder, "003", f"{a}/x.jpg")
    plant(folder, "104", f"{a}/y.jpg", turned=True)
    (folder / "train" / b / "bad.jpg").write_bytes(b"")
    show_duplicates(searched(folder, json=True))
    facts = json.loads(capsys.readouterr().out)
    assert (facts["images"], facts["images_in_groups"], facts["label_conflicts"]) == (43, 4, 1)
    assert len(facts["unread"]) == 1
    assert facts["kinds"] == {"identical": 1, "rotated": 0, "flipped": 0, "near": 1}
    identical, near = sorted(facts["groups"], key=lambda group: group["kind"])
    assert (sorted(identical["ids"]), identical["labels"]) == (["003", "x"], [a])
    assert (sorted(near["ids"]), near["labels"]) == (["104", "y"], [a, b])
    assert near["links"][0]["turn"] in ("90", "270")
    assert 0 < near["links"][0]["distance"] < 4
    show_duplicates(searched(folder))
    shown = capsys.readouterr().out
    assert "4 images in 2 groups of copies: 1 identical, 0 rotated, 0 flipped, 1 near" in shown
    assert "groups with more than one label: 1" in shown
    assert "1 bad images were left out" in shown
    show_duplicates(searched(folder, f"classes=[{b}]", distance=0, json=True))
    assert json.loads(capsys.readouterr().out)["groups"] == []


def test_the_distance_is_a_number_of_grey_levels(folder: Path):
    for distance in (-1.0, 256.0, float("nan")):
        with pytest.raises(UsageError, match="0 to 255"):
            show_duplicates(searched(folder, distance=distance))


def test_check_without_copies(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    said = findings(tmp_path, capsys)[1]["duplicates in 'Tiny plankton'"]
    assert said.startswith("no copies among 40 images; no `fit` or `score`")
    code, found = findings(tmp_path, capsys, "    fit: {fraction: 0.5}\n    score: {fraction: 0.5}\n")
    assert "no other scored image has a copy" in found["duplicates in 'Tiny plankton'"]
    assert code == 0


def test_copies_within_a_set_are_noted_only(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plant(folder, "003", f"{next(iter(KINDS))}/x.jpg")
    code, found = findings(tmp_path, capsys)
    assert "2 of 41 images in 1 groups of copies (1 identical)" in found["duplicates in 'Tiny plankton'"]
    assert code == 0


def test_check_finds_leaks(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    a, b = list(KINDS)[:2]
    plant(folder, "003", f"{b}/x.jpg", turned=True)
    (folder / "train" / a / "bad.jpg").write_bytes(b"")
    code, found = findings(tmp_path, capsys, f"    fit: {{classes: [{a}]}}\n    score: {{classes: [{b}]}}\n")
    said = found["duplicates in 'Tiny plankton'"]
    assert "1 with more than one label" in said
    assert "1 of 21 scored images have a copy among the fitted ones (x)" in said
    assert code == 1
    code, found = findings(tmp_path, capsys, f"    score: {{classes: [{b}]}}\n")
    said = found["duplicates in 'Tiny plankton'"]
    assert "21 images are both fitted and scored, as selected" in said
    assert code == 0


def test_a_selection_of_nothing_is_a_fault(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, found = findings(tmp_path, capsys, "    fit: {classes: [whale]}\n")
    assert "no class named 'whale'" in found["duplicates in 'Tiny plankton'"]
    assert code == 1


def test_the_search_can_be_left_out(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    suite = write_suite(tmp_path, TINY.replace("    synthetic: {images: 60}\n", ""))
    check_suite(checked(suite, tmp_path, duplicates=False))
    assert "duplicates" not in capsys.readouterr().out
    check_suite(checked(write_suite(tmp_path / "s"), tmp_path))
    assert "not searched: each image will be drawn independently" in capsys.readouterr().out
