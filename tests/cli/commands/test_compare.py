"""`bench compare`, `bench regress` and `bench merge` as a user runs them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.conftest import Finished, bench
from tests.regression.made import Made, write_run


def run(tmp_path: Path, *words: str) -> tuple[int, str, str]:
    done = bench(*words, store=tmp_path / "store", results=tmp_path / "results")
    return done.returncode, done.stdout, done.stderr


def test_a_real_run_does_not_differ_from_itself(finished: Finished, tmp_path: Path):
    code, out, _ = run(tmp_path, "compare", str(finished.results / "tiny"), str(finished.results))
    assert code == 0
    assert "no regression: no change; compared: 35 scores" in out


def test_compare_ends_with_3_and_says_the_same_in_all_formats(tmp_path: Path):
    a = write_run(tmp_path / "a" / "made", [Made("m"), Made("n")])
    b = write_run(tmp_path / "b" / "made", [Made("m"), Made("n", status="crash", started="2026-01-02T")])
    code, out, _ = run(tmp_path, "compare", str(a), str(b))
    assert code == 3
    assert "REGRESSION: 1 worse" in out
    code, out, _ = run(tmp_path, "compare", str(a), str(b), "--json")
    told = json.loads(out)
    assert (code, told["exit_code"], told["regressed"]) == (3, 3, True)
    (worse,) = (f for f in told["findings"] if f["verdict"] == "worse")
    assert (worse["what"], worse["method"], worse["before"], worse["after"]) == ("scores", "n", "ok", "crash")
    code, out, _ = run(tmp_path, "compare", str(a), str(b), "--format", "md")
    assert code == 3
    assert out.startswith("### made: REGRESSION")
    code, *_ = run(tmp_path, "compare", str(b), str(a))
    assert code == 0


def test_wrong_usage_ends_with_2_and_a_sentence(tmp_path: Path):
    a = str(write_run(tmp_path / "a" / "made", [Made()]))
    for words, said in (
        (("compare", a, str(tmp_path / "nowhere")), "no run here"),
        (("compare", a, a, "--format", "xml"), "no format 'xml'"),
        (("compare", a, a, "--time-ratio", "0.9"), "expected a ratio above 1"),
        (("regress", "made", "--nights", str(tmp_path / "nowhere")), "no night of 'made'"),
        (("regress", "made", "--nights", str(tmp_path), "--since", "2026-13-01"), "neither a date"),
        (("merge", str(tmp_path / "nowhere")), "there is no such folder"),
    ):
        code, out, err = run(tmp_path, *words)
        assert (code, out) == (2, ""), words
        assert said in err
        assert "Traceback" not in err


def test_regress_of_nights(tmp_path: Path):
    for night in range(3):
        cell = Made(started=f"2026-01-0{night + 1}T00:00:00.000+00:00", commit=str(night) * 40)
        cell = replace(cell, scores={"ami": 0.1}) if night == 2 else cell
        write_run(tmp_path / "nights" / str(night) / "made", [cell, replace(cell, seed=1)])
    words = ("regress", "made", "--nights", str(tmp_path / "nights"))
    code, out, _ = run(tmp_path, *words, "--json")
    assert code == 3
    assert json.loads(out)["before"]["commit"] == "1" * 40
    code, out, _ = run(tmp_path, *words, "--since", "2222", "--format", "md")
    assert code == 0
    assert "nothing to compare with" in out


def test_merge_of_real_results_gives_the_same_table(finished: Finished, tmp_path: Path):
    code, out, _ = run(tmp_path, "merge", str(finished.results))
    assert code == 0
    assert "14 records, 14 of them new, 0 contradictions; 0 files not merged" in out
    want, got = (r / "tiny" / "leaderboard.csv" for r in (finished.results, tmp_path / "results"))
    assert got.read_text() == want.read_text()
    code, out, _ = run(tmp_path, "merge", str(finished.results), "--json")
    assert json.loads(out)["suites"][0]["added"] == 0


def test_merge_ends_with_1_where_records_contradict(tmp_path: Path):
    two_lines = "d\ne"
    a = write_run(tmp_path / "a" / "made", [Made(host="left", dataset=two_lines)])
    b = write_run(tmp_path / "b" / "made", [Made(host="right", dataset=two_lines, scores={"ami": 0.1})])
    code, out, _ = run(tmp_path, "merge", str(a), str(b))
    assert code == 1
    assert out.splitlines()[0].startswith("CONTRADICTION  d e · m · seed 0: 2 records of")
    assert "left" in out
    assert "right" in out
