"""The wheel holds everything that the command needs, and runs from any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bench

CHECKOUT = Path(__file__).parent.parent
PARTS = ("bench", "datasets", "methods", "suites", "results/reference")
WHEEL = CHECKOUT / "tests" / "golden" / "wheel.txt"
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy and unpack it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for part in PARTS:
        shutil.copytree(CHECKOUT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(CHECKOUT / name, source / name)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(target)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = target.glob("cutjoin-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def test_every_module_suite_and_table_is_in_the_wheel(installed: Path) -> None:
    homes = {"datasets": "bench/datasets", "methods": "bench/methods", "suites": "bench/suites"}
    homes["results/reference"] = "bench/reference"
    for part in PARTS:
        for path in (CHECKOUT / part).rglob("*"):
            if path.suffix in (".py", ".yaml", ".csv", ".css", ".js") and "__pycache__" not in path.parts:
                inside = installed / homes.get(part, part) / path.relative_to(CHECKOUT / part)
                assert inside.is_file(), f"{path} is not in the wheel"


def test_the_wheel_holds_what_the_list_says(installed: Path) -> None:
    """A module that moves, appears or goes shows in the list: it is what users can import."""
    files = (p for p in (installed / "bench").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    inside = sorted(p.relative_to(installed).as_posix() for p in files)
    assert inside == WHEEL.read_text(encoding="utf-8").splitlines()


def test_the_version_says_which_copy_is_in_use(installed: Path, tmp_path: Path) -> None:
    """A copy in a folder of the path goes before an editable checkout, so it must be seen that it does."""
    shutil.copytree(installed, tmp_path / "second")

    def said(*path: Path) -> list[str]:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
        command = [sys.executable, "-P", "-m", "bench.cli", "--version"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    used, *others = said(installed, tmp_path / "second")
    assert used == f"cutjoin 0.1.0 from {installed / 'bench'}"
    assert f"also installed, not in use: 0.1.0 from {tmp_path / 'second' / 'bench'}" in others
    assert said(tmp_path / "second", installed)[0] == f"cutjoin 0.1.0 from {tmp_path / 'second' / 'bench'}"
    here, *_ = said()
    assert here.removesuffix(" (editable)") == f"cutjoin 0.1.0 from {Path(bench.__file__).parent}"


def test_the_unpacked_wheel_runs_a_suite_from_a_foreign_folder(installed: Path, tmp_path: Path) -> None:
    elsewhere = {
        "PYTHONPATH": str(installed),
        "BENCH_STORE": str(tmp_path / "store"),
        "BENCH_RESULTS": str(tmp_path / "results"),
    }
    suite = tmp_path / "mini.yaml"
    suite.write_text(
        "seeds: [0]\ndatasets: [{name: d, use: kaggle_plankton, size: 16, synthetic: {images: 30}}]\n"
        "methods: [{encoder: pixels, clusterer: kmeans}]\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.cli", "run", str(suite), "--json"],
        cwd=tmp_path,
        env={**os.environ, **elsewhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = next((tmp_path / "results" / "mini" / "records").glob("*.json")).read_text()
    assert '"git_commit": null' in record  # an unpacked wheel is no checkout
