"""`bench data show`."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.errors import DataError
from tests.cli.commands.datasets import asked, call


def test_show_writes_sheets_and_removes_those_of_a_longer_set(folder: Path, tmp_path: Path):
    out = tmp_path / "sheets"
    asked("show", "image_folder", folder, "--out", out, "--per", 1, "--size", 32)
    shutil.copy(out / "sheet-01.png", out / "sheet-02.png")
    for name in ("sheet-03.png", "sheet-x.png", "mine-02.png"):  # of the user
        (out / name).touch()
    facts = asked("show", "image_folder", folder, "--out", out, "--per", 1, "--size", 32)
    assert facts["counts"] == {"one": 2, "two": 2}
    assert facts["files"] == [str(out / "sheet-01.png")]
    assert sorted(p.name for p in out.iterdir()) == [
        "mine-02.png",
        "sheet-01.png",
        "sheet-03.png",
        "sheet-x.png",
    ]
    page = cv2.imread(str(out / "sheet-01.png"))
    assert page is not None
    assert page.shape[0] >= 2 * 32
    by_id = asked("show", "image_folder", folder, "--out", tmp_path / "one.png", "--by", "id")
    assert list(by_id["counts"]) == ["one/0.png", "one/1.png", "two/0.png", "two/1.png"]
    with pytest.raises(DataError, match="did you mean 'label'"):
        call("show", "image_folder", folder, "--by", "lable")


def test_show_of_many_classes_into_one_name(tmp_path: Path):
    image = cv2.imencode(".png", np.zeros((5, 5), np.uint8))[1].tobytes()
    for i in range(90):
        (tmp_path / "d" / f"class{i}").mkdir(parents=True)
        (tmp_path / "d" / f"class{i}" / "1.png").write_bytes(image)
    facts = asked("show", "image_folder", tmp_path / "d", "--out", tmp_path / "all.png")
    assert [Path(p).name for p in facts["files"]] == ["all.png", "all-02.png", "all-03.png"]
    assert list(facts["counts"])[:3] == ["class0", "class1", "class2"]
