"""`bench test`: exit codes, and adapters that crash, hang or cannot be loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.cli.commands.new import write_new
from bench.cli.options.files import NewOptions
from tests.conftest import bench
from tests.contract.bad import GOOD_METRIC, encoder, other


def run(folder: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "mine.py").write_text(text)
    return command(folder, "./mine.py", *words)


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return bench("test", *words, store=folder / "s", results=folder / "r", cwd=folder)


def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return {c["check"]: c for c in json.loads(done.stdout)["checks"]}


def test_a_good_encoder(tmp_path: Path) -> None:
    done = run(tmp_path, encoder())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("encoder ./mine.py\n")
    assert "  pass  The same seed gives the same bits.  [deterministic, " in done.stdout
    assert " 0 failed, 2 skipped, in " in done.stdout
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.py"]


def test_files_beside_it_do_not_stand_in_for_libraries(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("1 / 0")
    (tmp_path / "numpy.py").write_text("1 / 0")
    (tmp_path / "mine.py").write_text(encoder())
    code = "import sys; sys.path.pop(0); from bench.cli import main; main()"  # as the command does
    words = [sys.executable, "-c", code, "test", "./mine.py", "--only", "importing", "--only", "runs"]
    assert subprocess.run(words, cwd=tmp_path, check=False).returncode == 0


def test_what_fails_is_shown_with_its_line(tmp_path: Path) -> None:
    done = run(tmp_path, encoder(end="found[len(found)]"))
    assert done.returncode == 1
    assert "FAIL  It runs on ordinary images without an error." in done.stdout
    assert "it raised IndexError: index 96 is out of bounds for axis 0 with size 96" in done.stdout
    assert ": found[len(found)]" in done.stdout
    assert "Why it matters: Small grey" in done.stdout


def test_json_only_and_set(tmp_path: Path) -> None:
    text = encoder(start='print("noise")', end="found = found / self.scale")
    done = run(tmp_path, text, "--json", "--only", "order", "--only", "values", "--set", "scale=0")
    assert done.returncode == 1
    found = report(done)
    assert list(found) == ["values", "order"]
    assert found["values"]["status"] == "failed"
    assert found["values"]["title"].startswith("All values are finite")


@pytest.mark.parametrize(
    ("start", "how"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it ended the process: signal SIGSEGV"),
        ("import os; os._exit(3)", "it ended the process: exit code 3"),
    ],
)
def test_a_crash_fails_one_check_and_ends_none(tmp_path: Path, start: str, how: str) -> None:
    done = run(tmp_path, encoder(start=start), "--json")
    found = report(done)
    assert done.returncode == 1
    assert found["runs"]["message"] == how
    assert found["docstring"]["status"] == "passed"
    assert found["order"]["message"] == "needs deterministic to pass"
    assert [n for n, o in found.items() if o["status"] == "failed"] == ["runs"]


def test_a_crash_on_odd_images_only(tmp_path: Path) -> None:
    start = "import os; os._exit(0) if images.shape[0] > 1 else 0"
    found = report(run(tmp_path, encoder(start=start), "--json"))
    assert [n for n, o in found.items() if o["status"] == "failed"] == ["pixel_types"]
    assert len(found) == 24


def test_what_hangs_is_ended(tmp_path: Path) -> None:
    start = "import time\n        while images.shape[0] > 1: time.sleep(1)"
    done = run(
        tmp_path, encoder(start=start), "--json", "--limit", "2", "--only", "pixel_types", "--only", "order"
    )
    found = report(done)
    assert found["pixel_types"]["message"] == "it took more than 2 s"
    assert found["order"]["status"] == "passed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", "cannot be imported: SyntaxError"),
        ("import os\n\n1 / 0", "cannot be imported: ZeroDivisionError: division by zero (line 3)"),
        ("raise SystemExit", "cannot be imported: SystemExit"),
        ("import os; os._exit(0)", "ends the process that imports it"),
        ("x = 1", "expected exactly one public adapter or metric"),
        (encoder() + other("reducer", "return features"), "of several kinds; write `encoder ./mine.py` or"),
        (encoder(fields='need: int\n    """Needed."""'), "need: required, but missing"),
    ],
)
def test_what_cannot_be_loaded(tmp_path: Path, text: str, message: str) -> None:
    done = run(tmp_path, text)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["./absent.py"], "there is no file"),
        (["pixls"], "did you mean 'pixels'"),
        (["encodr", "pixels"], "did you mean 'encoder'"),
        (["dec"], "of several kinds; write `encoder dec` or `clusterer dec`"),
        (["pixels", "--only", "ordr"], "did you mean 'order'"),
        (["acc", "--set", "x=1"], "a metric has no parameters"),
        (["a", "b", "c"], "expected a name or a file"),
    ],
)
def test_wrong_words(tmp_path: Path, words: list[str], message: str) -> None:
    done = command(tmp_path, *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_names_of_what_ships_and_metrics(tmp_path: Path) -> None:
    assert command(tmp_path, "clusterer", "all_in_one", "--images", "20").returncode == 0
    assert command(tmp_path, "acc").returncode == 0
    assert run(tmp_path, GOOD_METRIC).stdout.startswith("metric ./mine.py\n")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder", "reducer", "pair_model", "clusterer", "classifier", "metric"])
def test_a_file_to_start_from_passes(kind: str, tmp_path: Path) -> None:
    write_new(NewOptions(kind=kind, name="mine", out=tmp_path))
    done = command(tmp_path, "./mine.py")
    assert done.returncode == 0, done.stdout + done.stderr
