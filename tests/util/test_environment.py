"""Provenance: the commit of the checkout that the code runs from, or none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import bench
from bench.records.record import Environment
from bench.util.environment import describe


def test_every_field_is_described():
    found = Environment.model_validate(describe())
    assert found.host
    assert found.cutjoin
    assert (found.git_commit is None) == (found.git_dirty is None)


def test_code_that_is_not_installed_has_no_version(tmp_path: Path):
    copied = tmp_path / "bench"
    shutil.copytree(Path(bench.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    code = "from bench.util.environment import installations; print(installations()[0])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"unknown from {copied}\n"


def test_commit_and_dirty_flag(tmp_path: Path):
    """A copy of the code: in no repository, in a foreign one, in its own, and changed."""
    shutil.copytree(
        Path(bench.__file__).parent, tmp_path / "bench", ignore=shutil.ignore_patterns("__pycache__")
    )

    def git(*words: str) -> str:
        base = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x"]
        return subprocess.run([*base, *words], capture_output=True, text=True, check=True).stdout.strip()

    def found() -> tuple[str | None, bool | None]:
        code = (
            "import json; from bench.util.environment import describe; p = describe(); "
            "print(json.dumps([p['git_commit'], p['git_dirty']]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        commit, dirty = json.loads(done.stdout)
        return commit, dirty

    assert found() == (None, None)
    git("init", "-q")
    (tmp_path / "notes").write_text("x")
    git("add", "notes")
    git("commit", "-q", "-m", "notes only")
    assert found() == (None, None)
    git("add", "bench")
    git("commit", "-q", "-m", "code")
    assert found() == (git("rev-parse", "HEAD"), False)
    with (tmp_path / "bench" / "interfaces.py").open("a") as changed:
        changed.write("\n")
    assert found() == (git("rev-parse", "HEAD"), True)
