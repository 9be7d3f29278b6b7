"""Images that cannot be used are told wherever the numbers of the rest are."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.execute.runs import Bench

SUITE = """\
seeds: [0]
datasets: [{{name: cells, use: image_folder, root: {root}, size: 16{more}}}]
methods:
  - {{name: pixels, encoder: pixels, clusterer: {{use: kmeans, k: 2}}}}
"""
SAID = "15 of 30 images are left out: is cut off (15); 1 class without an image that can be used: c"


def _images(root: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(30):
        path = root / "abc"[i % 3 if i % 2 else 2 * (i % 4 == 2)] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = cv2.imencode(".png", rng.integers(0, 256, (16, 16, 3), np.uint8))[1].tobytes()
        path.write_bytes(data)
    for n, path in enumerate([*sorted((root / "c").glob("*")), *sorted((root / "a").glob("*"))]):
        if n < 15:
            path.write_bytes(path.read_bytes()[:-30])


@pytest.fixture(scope="module")
def truncated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, str]:
    bench = Bench(tmp_path_factory.mktemp("left_out"))
    root = tmp_path_factory.mktemp("data")
    _images(root)
    return bench, bench.suite(SUITE.format(root=root, more=""))


def test_run_table_status_files_and_record_tell(truncated: tuple[Bench, str]) -> None:
    bench, suite = truncated
    done = bench.run("run", suite)
    assert done.returncode == 0, done.stderr
    assert f"WARNING: cells: {SAID}" in done.stdout
    assert "on_bad_image: refuse" in done.stdout
    name = Path(suite).stem
    assert f"cells: {SAID}" in bench.run("status", name).stdout
    lost = json.loads(bench.run("status", name, "--json").stdout)["left_out"]["cells"]
    assert (lost["bad"], lost["images"], lost["reasons"]) == (15, 30, {"is cut off": 15})
    heading = "cells (15 images, 2 classes; 15 of 30 images left out, 1 class without images)"
    assert heading in bench.run("table", name, "--format", "md").stdout
    folder = bench.folder(name)
    assert heading in (folder / "leaderboard.md").read_text()
    assert "15 of 30 images left out" in (folder / "leaderboard.html").read_text()
    rows = list(csv.DictReader((folder / "leaderboard.csv").open()))
    assert {(r["images_left_out"], r["images_found"]) for r in rows} == {("15", "30")}
    board = json.loads(bench.run("table", name, "--format", "json").stdout)["boards"][0]
    assert board["left_out"]["bad"] == 15
    body = json.loads(next((folder / "records").glob("*.json")).read_text())
    assert body["left_out"]["bad"] == len(body["bad_images"]) == 15
    stage = next(s for s in body["stages"] if s["stage"] == "prepare")
    assert any(SAID in w for w in stage["warnings"])
    again = bench.run("run", suite, "--json")
    assert json.loads(again.stdout)["left_out"]["cells"]["bad"] == 15
    assert f"warning: cells: {SAID}" in again.stderr


def test_check_decodes_and_counts(truncated: tuple[Bench, str]) -> None:
    bench, suite = truncated
    for words in ((), ("--no-duplicates",)):
        done = bench.run("check", suite, *words)
        assert done.returncode == 0
        assert f"WARN images of 'cells': {SAID}" in done.stdout
    facts = json.loads(bench.run("check", suite, "--json").stdout)
    (one,) = [f for f in facts if f["what"] == "images of 'cells'"]
    assert one["ok"]
    assert one["warning"]


def test_check_fails_where_the_run_would(truncated: tuple[Bench, str], tmp_path: Path) -> None:
    bench, _ = truncated
    _images(tmp_path)
    refusing = bench.suite(SUITE.format(root=tmp_path, more=", on_bad_image: refuse"))
    done = bench.run("check", refusing)
    assert done.returncode == 1
    assert "BAD  images of 'cells': 15 of 30" in done.stdout


def test_padding_unlike_the_images_is_told_and_the_default_is_not(
    truncated: tuple[Bench, str], tmp_path: Path
) -> None:
    bench, _ = truncated
    rng = np.random.default_rng(0)
    for i in range(12):
        image = np.full((10, 20, 3), 235, np.uint8)
        image[3:7, 5:15] = rng.integers(20, 120, (4, 10, 3))
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "ab"[i % 2] / f"{i}.png"), image)
    black = bench.suite(SUITE.format(root=tmp_path, more=", fill: 0"))
    said = "padding: 100% of the 12 padded images looked at are padded with 0 beside borders of about 235"
    assert f"WARN images of 'cells': all 12 can be decoded; {said}" in bench.run("check", black).stdout
    assert f"WARNING: cells: {said}" in bench.run("run", black).stdout
    own = bench.suite(SUITE.format(root=tmp_path, more=""))
    assert "ok   images of 'cells': all 12 can be decoded\n" in bench.run("check", own).stdout
    assert "WARNING" not in bench.run("run", own).stdout


def test_a_class_folder_without_images_is_said_aloud(truncated: tuple[Bench, str], tmp_path: Path) -> None:
    bench, _ = truncated
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(4):
            image = np.full((16, 16), 40 * i + ord(label), np.uint8)
            ok, data = cv2.imencode(".webp", image)
            assert ok
            (tmp_path / label / f"{i}.webp").write_bytes(data.tobytes())
    (tmp_path / "c").mkdir()
    for i in range(3):
        (tmp_path / "c" / f"{i}.heic").write_bytes(b"....ftypheic")
    suite = bench.suite(SUITE.format(root=tmp_path, more=""))
    said = "3 of 11 images are left out: a format that is not read (.heic) (3); 1 class without an image"
    assert f"WARN images of 'cells': {said}" in bench.run("check", suite).stdout
    assert f"WARNING: cells: {said}" in bench.run("run", suite).stdout
    verified = bench.run("data", "verify", "image_folder", str(tmp_path))
    assert 'WARNING: folders without images: {"count": 1, "first": ["c"]}' in verified.stdout
