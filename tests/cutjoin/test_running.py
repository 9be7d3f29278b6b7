"""`cutjoin.run` in scripts, threads and notebooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import cutjoin
from cutjoin import AdapterError, DataError, FileError, FinishedRun, UsageError

SLOW = '''\
"""Takes a while."""
import time
from pathlib import Path

from cutjoin import DataError, Encoder

HURRY = Path(__file__).with_name("hurry")


class Slow(Encoder):
    """Waits first, until a file beside it says that it need not."""

    seconds: float = 0.0
    """How long."""

    def encode(self, images, weights, run):
        import numpy as np

        if self.seconds < 0:
            raise DataError("time runs forwards")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end and not HURRY.exists():
            time.sleep(0.02)
        return np.concatenate([b.mean((2, 3)) for b in images.batches(64)]).astype(np.float32)
'''


def suite(folder: Path, *seconds: float) -> dict[str, Any]:
    """Return a suite with a method for each number of seconds that one shall take."""
    (folder / "slow.py").write_text(SLOW)
    encoders = [{"use": str(folder / "slow.py"), "seconds": s} for s in seconds]
    return {
        "seeds": [0],
        "baselines": False,
        "bootstrap": {"replicates": 0},
        "datasets": [
            {"name": "generated", "use": "kaggle_plankton", "size": 16, "synthetic": {"images": 40}}
        ],
        "methods": [
            {"name": f"slow {s:g}", "encoder": e, "clusterer": "ward"}
            for s, e in zip(seconds, encoders, strict=True)
        ],
    }


def run(folder: Path, given: dict[str, Any], **how: Any) -> FinishedRun:
    return cutjoin.run(given, store=folder / "store", results=folder / "results", **how)


def test_a_run_returns_what_it_left(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    done = run(tmp_path, suite(tmp_path, 0, 0.1), progress=lambda *numbers: calls.append(numbers))
    assert calls == [(1, 2), (2, 2)]
    assert (done.suite, done.folder, done.store) == (
        "suite",
        tmp_path / "results" / "suite",
        tmp_path / "store",
    )
    assert (done.statuses, done.failed, done.interrupted) == ({"ok": 2}, 0, False)
    assert repr(done) == f"FinishedRun(suite: 2 ok; {done.folder})"
    assert os.fspath(done) == str(done.folder)
    assert sorted(done.cells) == sorted(done.records()["key"])
    assert (done.folder / "leaderboard.html").is_file()
    assert list(done.leaderboard(sort="suite").to_frame()["method"]) == ["slow 0", "slow 0.1"]


def test_running_again_only_reads(tmp_path: Path) -> None:
    given = suite(tmp_path, 0)
    first = run(tmp_path, given, progress=False)
    before = {p: p.stat().st_mtime_ns for p in (first.folder / "records").iterdir()}
    calls: list[tuple[int, int]] = []
    again = run(tmp_path, given, progress=lambda *numbers: calls.append(numbers))
    assert calls == [(1, 1)]
    assert again.cells == first.cells
    assert {p: p.stat().st_mtime_ns for p in (first.folder / "records").iterdir()} == before


def test_relative_folders_mean_the_same_after_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cutjoin.run(suite(tmp_path, 0), store="store", results="results", progress=False)
    monkeypatch.chdir("/")
    assert len(done.images(done.records().iloc[0])) == 40


def test_progress_is_silent_or_plain_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, suite(tmp_path, 0), progress=False)
    assert capsys.readouterr() == ("", "")
    run(tmp_path, suite(tmp_path, 0, 0.1))
    shown = capsys.readouterr().out
    assert "slow 0.1" in shown
    assert "\x1b" not in shown


def test_a_failed_cell_raises_nothing_and_can_be_retried(tmp_path: Path) -> None:
    given = suite(tmp_path, 0, -1)
    done = run(tmp_path, given, progress=False)
    assert done.statuses == {"error": 1, "ok": 1}
    assert done.failed == 1
    assert "time runs forwards" in str(done.records().set_index("method").loc["slow -1", "error"])
    again = run(tmp_path, given, progress=False, retry=["failed"])
    assert again.statuses == done.statuses
    assert len(list((again.folder / "superseded").iterdir())) == 1


def test_wrong_calls(tmp_path: Path) -> None:
    given = suite(tmp_path, 0)
    loaded = cutjoin.load_suite(given)
    with pytest.raises(UsageError, match="belong to load_suite"):
        cutjoin.run(loaded, "smoke")
    with pytest.raises(UsageError, match="did you mean 'timeout'"):
        run(tmp_path, given, retry=["timeoutt"])
    with pytest.raises(AdapterError, match="did you mean 'local'"):
        run(tmp_path, given, executor="locl")
    with pytest.raises(FileError, match="did you mean 'ward'"):
        run(tmp_path, given | {"methods": [{"encoder": "pixels", "clusterer": "wardd"}]})
    absent = [{"name": "absent", "use": "image_folder", "root": tmp_path / "absent"}]
    with pytest.raises(DataError, match="absent"):
        run(tmp_path, given | {"datasets": absent})
    assert not (tmp_path / "results").exists()


def test_in_a_thread(tmp_path: Path) -> None:
    found: list[FinishedRun] = []
    thread = threading.Thread(target=lambda: found.append(run(tmp_path, suite(tmp_path, 0), progress=False)))
    thread.start()
    thread.join(120)
    assert [done.statuses for done in found] == [{"ok": 1}]


SCRIPT = """\
import json, sys
import cutjoin  # and no `if __name__ == "__main__"`, which users forget

given, folder = json.load(open(sys.argv[1])), sys.argv[2]
try:
    done = cutjoin.run(given, store=f"{folder}/store", results=f"{folder}/results", jobs=1,
                       progress=lambda done, cells: print("done", done, flush=True))
except KeyboardInterrupt as e:
    print("interrupted:", e)
    sys.exit(7)
print(done.statuses)
"""


def script(folder: Path, given: dict[str, Any]) -> subprocess.Popen[str]:
    (folder / "suite.json").write_text(json.dumps(given))
    (folder / "script.py").write_text(SCRIPT)
    words = [sys.executable, str(folder / "script.py"), str(folder / "suite.json"), str(folder)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_interrupted_script_keeps_what_is_finished_and_continues(tmp_path: Path) -> None:
    process = script(tmp_path, suite(tmp_path, 0, 600))
    assert process.stdout is not None
    assert process.stdout.readline() == "done 1\n"
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (7, "")
    assert out == "interrupted: what is finished is kept; the same call continues\n"
    assert time.monotonic() - began < 30
    frame = cutjoin.records(tmp_path / "results" / "suite")
    assert list(frame["status"]) == ["ok", "missing"]
    (kept,) = (tmp_path / "results" / "suite" / "records").iterdir()
    written = kept.stat().st_mtime_ns
    (tmp_path / "hurry").touch()
    out, err = script(tmp_path, suite(tmp_path, 0, 600)).communicate(timeout=120)
    assert out == "done 1\ndone 2\n{'ok': 2}\n", err
    assert kept.stat().st_mtime_ns == written


def test_handlers_of_signals_are_what_they_were(tmp_path: Path) -> None:
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    run(tmp_path, suite(tmp_path, 0), progress=False)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_in_a_notebook(tmp_path: Path) -> None:
    pytest.importorskip("ipykernel", reason="no Jupyter kernel: ipykernel is not installed")
    nbclient = pytest.importorskip("nbclient", reason="no notebooks: nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="no notebooks: nbformat is not installed")
    (tmp_path / "suite.json").write_text(json.dumps(suite(tmp_path, 0)))
    code = (
        "import json, cutjoin\n"
        "done = cutjoin.run(json.load(open('suite.json')), store='store', results='results')\n"
        "done.leaderboard()"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = notebook.cells[0].outputs
    assert "slow 0" in "".join(o.get("text", "") for o in shown)
    assert "<table>" in shown[-1]["data"]["text/html"]


@pytest.mark.parametrize("jobs", [0, -1, 2.5, True])
def test_jobs_is_a_whole_number_of_at_least_one(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(cutjoin.UsageError, match="jobs: a whole number of at least 1"):
        cutjoin.run("quickstart", "smoke", jobs=jobs, store=tmp_path / "s", results=tmp_path / "r")


def test_one_status_may_be_retried_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(cutjoin.UsageError, match="did you mean 'failed'"):
        cutjoin.run("quickstart", "smoke", retry="faild", store=tmp_path / "s", results=tmp_path / "r")
