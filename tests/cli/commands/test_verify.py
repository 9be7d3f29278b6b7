"""`bench data verify`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.cli.commands.datasets import asked, call, write_images


def test_verify_counts_and_names_what_is_bad(folder: Path):
    facts = asked("verify", "image_folder", folder)
    assert facts["ok"]
    assert facts["counts"]["label"] == {"one": 2, "two": 2}
    assert (facts["images"], facts["height"], facts["width"]) == (4, [8, 9], [12, 12])
    assert facts["bytes"] == sum(p.stat().st_size for p in folder.rglob("*.png"))
    assert call("verify", "image_folder", folder)[0] == 0
    whole = (folder / "one" / "0.png").read_bytes()
    (folder / "one" / "0.png").write_bytes(whole[:-20])
    (folder / "two" / "5.png").write_bytes(b"")
    (folder / "two" / "x.txt").touch()
    code, text = call("verify", "image_folder", folder)
    assert code == 1
    assert "bad images: 2" in text
    facts = asked("verify", "image_folder", folder)
    assert [(Path(b["where"]).name, b["why"]) for b in facts["bad_images"]] == [
        ("0.png", "is cut off: a PNG without its end"),
        ("5.png", "is empty"),
    ]
    assert facts["notes"]["files that are no images"]["count"] == 1
    cv2.imwrite(str(folder / "two" / "6.png"), np.full((8, 8, 3), 300, np.uint16))
    shallow = asked("verify", "image_folder", folder, "--set", "depth=8")["bad_images"]
    assert shallow[2]["why"] == "has 3 channels of uint16, the set 3 of uint8"
    assert len(asked("verify", "image_folder", folder)["bad_images"]) == 2


def test_verify_compares_with_the_known_numbers(few_images: Path):
    code, text = call("verify", "kaggle_plankton", "--data", few_images)
    assert code == 1
    facts = asked("verify", "kaggle_plankton", few_images / "kaggle_plankton")
    assert facts["stand_in"] is None
    assert not facts["bad_images"]
    wrong = {c["what"]: (c["expected"], c["found"]) for c in facts["checks"] if not c["ok"]}
    assert wrong["labelled images"] == (30336, 20)
    assert text.count("DIFFERS") == len(wrong)
    assert "GENERATED" not in text


def test_verify_reads_blocks_in_order(tmp_path: Path):
    write_images(tmp_path / "d", 200)
    for label, i in (("one", 3), ("two", 150)):
        (tmp_path / "d" / label / f"{i}.png").write_bytes(b"x")
    bad = asked("verify", "image_folder", tmp_path / "d")["bad_images"]
    assert [b["where"].split("/d/")[1] for b in bad] == ["one/3.png", "two/150.png"]
