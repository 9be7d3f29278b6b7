"""Commands on a finished run: what they print, what they leave alone, and their exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest

from bench.metrics.names import METRICS
from bench.records.record import read
from tests.conftest import TINY, Finished, bench, snapshot, write_suite


def test_plan_changes_nothing_at_all(tmp_path: Path, few_images: Path):
    (tmp_path / "own.py").write_text(
        'from bench.interfaces import Encoder\nclass Own(Encoder):\n    """Mine."""\n'
    )
    text = TINY.replace("synthetic: {images: 60}", f"root: {few_images / 'kaggle_plankton'}")
    suite = write_suite(tmp_path / "s", text.replace("[pixels, polar_fft]", "[pixels, ../own.py]"))
    before = snapshot(tmp_path)
    done = bench("plan", str(suite), store=tmp_path / "store", results=tmp_path / "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "14 cells: 14 to do, 0 cached, 0 blocked" in done.stdout
    assert snapshot(tmp_path) == before


def test_plan_of_a_finished_run(finished: Finished):
    before = snapshot(finished.store, finished.results)
    planned = json.loads(finished.bench("plan", str(finished.suite), "--json").stdout)
    assert [c["state"] for c in planned["cells"]] == ["cached"] * 14
    assert (planned["stages_to_run"], planned["stages_cached"]) == (0, 0)
    assert sorted(c["key"] for c in planned["cells"]) == [p.stem for p in finished.records]
    assert snapshot(finished.store, finished.results) == before


def test_plan_after_records_were_lost(own_run: Finished):
    own_run.records[0].unlink()
    whole = own_run.records[1].read_bytes()
    own_run.records[1].write_bytes(whole[:-1])
    before = snapshot(own_run.results)
    planned = json.loads(own_run.bench("plan", str(own_run.suite), "--json").stdout)
    assert sorted(c["state"] for c in planned["cells"]) == ["cached"] * 12 + ["to do"] * 2
    assert planned["stages_to_run"] == 0
    assert planned["stages_cached"] > 0
    assert snapshot(own_run.results) == before


def test_a_warm_run_changes_no_record_and_mends_lost_ones(own_run: Finished):
    before = {p.name: p.read_bytes() for p in own_run.records}
    lost = read(own_run.records[0]).essence()
    own_run.records[0].unlink()
    done = own_run.bench("run", str(own_run.suite), "--json")
    assert json.loads(done.stdout)["statuses"] == {"ok": 14}
    after = {p.name: p.read_bytes() for p in own_run.records}
    changed = {n for n in before if before[n] != after[n]}
    assert changed <= {own_run.records[0].name}
    assert read(own_run.records[0]).essence() == lost


def test_status(own_run: Finished):
    done = own_run.bench("status", "tiny")
    assert (done.returncode, done.stdout.strip()) == (0, "tiny: 14 cells: 14 ok")
    own_run.records[0].unlink()
    own_run.records[1].write_bytes(b"{}")
    done = own_run.bench("status", str(own_run.suite), "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert said["statuses"] == {"damaged": 1, "missing": 1, "ok": 12}
    assert {p["status"] for p in said["problems"]} == {"damaged", "missing"}


@pytest.mark.parametrize(
    ("format", "suffix"), [("md", "md"), ("csv", "csv"), ("latex", "tex"), ("html", "html")]
)
def test_table_prints_what_the_run_wrote(finished: Finished, format: str, suffix: str):
    done = finished.bench("table", "tiny", "--format", format)
    assert done.returncode == 0
    assert done.stdout.encode() == (finished.results / "tiny" / f"leaderboard.{suffix}").read_bytes()


def test_a_table_of_the_suite(finished: Finished):
    done = finished.bench("table", "tiny", "--table", "short", "-f", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {"nmi", "vi"} < set(rows[0])
    assert "acc" not in rows[0]
    assert len(rows) == 7
    assert all(r["synthetic"] == "True" for r in rows)


def test_the_terminal_table_has_no_controls_in_a_pipe(finished: Finished):
    text = finished.bench("table", "tiny").stdout
    assert "polar_fft + ward" in text
    assert "synthetic" in text
    assert "\x1b" not in text


def test_show_by_prefix_and_by_file(finished: Finished):
    path = finished.records[0]
    record = read(path)
    done = finished.bench("show", path.stem[:12])
    assert f"{record.dataset} · {record.method} · seed {record.seed}" in done.stdout
    assert path.stem in done.stdout
    for name in METRICS:
        assert METRICS[name].title in done.stdout
    for where in (path.stem[:12], str(path)):
        assert json.loads(finished.bench("show", where, "--json").stdout) == record.model_dump(mode="json")


def test_verify_and_quarantine(own_run: Finished):
    done = own_run.bench("verify", "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["damaged"]) == (0, [])
    assert (said["records"], said["artefacts"]) == (14, len(own_run.artefacts))
    target = max((p for p in own_run.artefacts[0].iterdir()), key=lambda p: p.stat().st_size)
    target.write_bytes(target.read_bytes()[:-1] + b"\xaa")
    record = own_run.records[0]
    record.write_bytes(record.read_bytes().replace(b"Tiny", b"Tinx", 1))
    before = snapshot(own_run.store, own_run.results)
    done = own_run.bench("verify", "tiny")
    assert done.returncode == 1
    assert "2 damaged" in done.stdout
    assert record.name in done.stdout
    assert own_run.artefacts[0].name in done.stdout
    assert snapshot(own_run.store, own_run.results) == before
    assert own_run.bench("verify", "--quarantine").returncode == 1
    assert own_run.bench("verify").returncode == 0
    assert not record.exists()
    again = own_run.bench("run", str(own_run.suite), "--json")
    assert json.loads(again.stdout)["statuses"] == {"ok": 14}
    assert own_run.bench("verify").returncode == 0


def test_gc(own_run: Finished):
    for artefact in own_run.artefacts[:3]:
        os.utime(artefact / "manifest.json", (0, 0))
    before = snapshot(own_run.store, own_run.results)
    assert json.loads(own_run.bench("gc", "--dry-run", "--json").stdout)["removed"] >= 3
    assert snapshot(own_run.store, own_run.results) == before
    count = len(own_run.artefacts)
    assert own_run.bench("gc").returncode == 0
    assert len(own_run.artefacts) == count - 3
    assert len(own_run.records) == 14
    assert json.loads(own_run.bench("verify", "--json").stdout)["damaged"] == []


def test_check(finished: Finished, tmp_path: Path):
    done = finished.bench("check", str(finished.suite))
    assert done.returncode == 0, done.stdout
    assert "60 images will be generated" in done.stdout
    suite = write_suite(tmp_path, TINY.replace("synthetic: {images: 60}", "root: no/such"))
    done = finished.bench("check", str(suite), "--json")
    assert done.returncode == 1
    assert [f["what"] for f in json.loads(done.stdout) if not f["ok"]] == ["dataset 'Tiny plankton'"]


def test_check_counts_real_images(few_images: Path, tmp_path: Path):
    suite = write_suite(tmp_path, TINY.replace("    synthetic: {images: 60}\n", ""))
    words = ("check", str(suite), "--data", str(few_images))
    done = bench(*words, store=tmp_path / "store", results=tmp_path / "results")
    assert "20 images in" in done.stdout
    assert "20 labelled, 2 classes" in done.stdout


def test_score(tmp_path: Path):
    (tmp_path / "truth.csv").write_text("id,label\na,x\nb,x\nc,y\nd,y\n")
    (tmp_path / "pred.csv").write_text("id,label\nd,0\nc,0\nb,1\na,1\n")
    run = {"store": tmp_path / "store", "results": tmp_path / "results"}
    words = ("score", str(tmp_path / "truth.csv"), str(tmp_path / "pred.csv"))
    done = bench(*words, "--json", **run)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"n", *METRICS} <= set(found)
    assert (found["n"], found["acc"], found["ari"], found["vi"]) == (4, 1.0, 1.0, 0.0)
    assert "ACC" in bench(*words, **run).stdout
    (tmp_path / "pred.csv").write_text("id,label\nd,0\nc,0\nb,1\nz,1\n")
    done = bench(*words, **run)
    assert done.returncode == 2
    assert "'z'" in done.stderr
    assert "'a'" in done.stderr


SUITE = "SUITE"
WRONG: list[tuple[list[str], str]] = [
    ([], ""),
    (["nonsense"], "No such command"),
    (["run"], "Missing argument"),
    (["run", "quikstart"], "did you mean 'quickstart'"),
    (["run", "none.yaml"], "there is no such file"),
    (["run", SUITE, "--retry", "eror"], "no status named 'eror'; did you mean 'error'"),
    (["run", SUITE, "--jobs", "0"], "jobs"),
    (["run", SUITE, "--only", "xyz"], "--only xyz: no cell of tiny has a key .*`bench plan --json` lists"),
    (["run", SUITE, "--only", ""], "--only : no cell of tiny has a key that begins so"),
    (["run", SUITE, "--only", "../*"], "no cell of tiny has a key that begins so"),
    (["run", SUITE, "--profile", "p"], "no profile named 'p'"),
    (["plan", "none.yaml"], "there is no such file"),
    (["check", "none.yaml"], "there is no such file"),
    (["status", "none"], "did you mean 'tiny'|no results of 'none'"),
    (["table", "tiny", "--table", "shorter"], "did you mean 'short'"),
    (["table", "tiny", "--format", "markdown"], "no table_format named 'markdown'"),
    (["show", "zzzz"], "no record in"),
    (["show", "../../etc"], "no record in"),
    (["show", ""], "no record in"),
    (["list", "encodr"], "did you mean 'encoder'"),
    (["describe", "encoder", "pixel"], "did you mean 'pixels'"),
    (["describe", "encodr", "pixels"], "did you mean 'encoder'"),
    (["describe", "metric", "amii"], "did you mean 'ami'"),
    (["describe", "encoder", "./none.py"], "there is no file"),
    (["score", "none.csv", "none.csv"], "none.csv"),
    (["verify", "nothing"], "no results of 'nothing'"),
    (["gc", "--unused-days", "-1"], "unused-days"),
]


@pytest.mark.parametrize(
    ("words", "message"), WRONG, ids=lambda x: " ".join(x) if isinstance(x, list) else ""
)
def test_a_wrong_command_line_ends_with_2_and_one_sentence(
    finished: Finished, words: list[str], message: str, tmp_path: Path
):
    before = snapshot(finished.store, finished.results)
    words = [str(finished.suite) if w == SUITE else w for w in words]
    done = bench(*words, store=finished.store, results=finished.results, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(finished.store, finished.results) == before
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_suite_tells_every_fault_and_nothing_runs(tmp_path: Path):
    text = TINY.replace("kmeans, ward", "kmean, wrd").replace("size: 16", "size: x").replace("[0, 1]", "[a]")
    suite = write_suite(tmp_path, text)
    before = snapshot(tmp_path)
    for command in ("run", "plan", "check"):
        done = bench(command, str(suite), store=tmp_path / "store", results=tmp_path / "results")
        assert done.returncode == 2
        lines = done.stderr.splitlines()
        assert [x.startswith(f"bench: {suite.resolve()}:") for x in lines] == [True] * 4
        assert snapshot(tmp_path) == before


def test_a_run_without_any_data_is_refused(tmp_path: Path):
    suite = write_suite(tmp_path, TINY.replace("    synthetic: {images: 60}\n", ""))
    done = bench("run", str(suite), store=tmp_path / "store", results=tmp_path / "results")
    assert done.returncode == 2
    assert "set BENCH_DATA (or --data)" in done.stderr
    assert not (tmp_path / "results").exists()
