"""`bench site` as a user runs it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from tests.conftest import Finished


def test_the_page_of_a_finished_suite(finished: Finished, tmp_path: Path) -> None:
    out = tmp_path / "site"
    done = finished.bench("site", "tiny", "--out", str(out))
    assert done.returncode == 0, done.stderr
    said = re.fullmatch(r"(.*/index\.html): (\d+) pages, (\d+) files, [\d.]+ [kM]B\n", done.stdout)
    assert said, done.stdout
    assert Path(said[1]).is_file()
    assert (
        int(said[2]) == len(list(out.rglob("*.html"))) == 8
    )  # 4 methods, 3 trivial baselines, the first page
    assert int(said[3]) == len([p for p in out.rglob("*") if p.is_file()]) - 1
    assert "not shown" not in done.stderr
    text = (out / "index.html").read_text("utf-8")
    assert text.count("<tr") == 9
    assert "synthetic data" in text
    assert not re.search(r"https?://", text)


def test_what_is_missing_is_named(own_run: Finished, tmp_path: Path) -> None:
    shutil.rmtree(own_run.store / "artefacts")
    done = own_run.bench("site", str(own_run.suite), "--out", str(tmp_path / "site"), "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["pages"] == 8
    assert len(said["not_shown"]) == 4 * (2 + 3) + 3 * 2  # the maps of both seeds
    remedy = re.compile(rf"`bench run {re.escape(str(own_run.suite))} --only \w{{12}}` makes it again")
    assert all(remedy.search(w) for w in said["not_shown"])


def test_wrong_input_ends_with_2_and_one_sentence(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    for words, message in (
        (["tinny"], "no results of 'tinny'"),
        (["tiny", "--map", "tsne"], "--map: no projection 'tsne'"),
        (["tiny", "--out", str(tmp_path)], "holds other files and no earlier site; name an empty folder"),
    ):
        done = finished.bench("site", "--out", str(tmp_path / "out"), *words)
        assert done.returncode == 2, done.stdout + done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
