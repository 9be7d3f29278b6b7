"""The wheel holds everything that the command needs, and runs from any folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import bench
from bench.adapters.aliases import MOVED

CHECKOUT = Path(__file__).parent.parent
SUFFIXES = (".py", ".yaml", ".csv", ".css", ".js", ".txt")
PARTS = ("bench", "datasets", "methods", "suites", "results/reference")
WHEEL_OF_0_1 = CHECKOUT / "tests" / "golden" / "wheel-0.1.txt"
COMMAND_LINE = {
    "bench/cli/cli.py": "bench/cli/app.py",
    "bench/cli/options.py": "bench/cli/options/__init__.py",
    "bench/cli/datacli.py": "bench/cli/data_app.py",
    "bench/cli/runscli.py": "bench/cli/runs_app.py",
    "bench/cli/commands/progress.py": "bench/cli/progress.py",
    "bench/cli/commands/settings.py": "bench/cli/settings.py",
    "bench/suite.py": "bench/suite/schema.py",
}
"""Modules that no adapter could use, and so have no alias."""
VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
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
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                inside = installed / homes.get(part, part) / path.relative_to(CHECKOUT / part)
                assert inside.is_file(), f"{path} is not in the wheel"


def test_nothing_else_is_in_the_wheel(installed: Path) -> None:
    homes = {"bench/datasets": "datasets", "bench/methods": "methods", "bench/suites": "suites"}
    homes["bench/reference"] = "results/reference"
    for name in files(installed / "bench"):
        home = next((h for h in homes if name.startswith(f"{h}/")), "bench")
        assert (CHECKOUT / homes.get(home, home) / name.removeprefix(f"{home}/")).is_file(), name


def test_what_the_wheel_of_0_1_had_is_there_or_has_a_new_name(installed: Path) -> None:
    present = set(files(installed / "bench"))
    for name in WHEEL_OF_0_1.read_text(encoding="utf-8").splitlines():
        module = name.removesuffix(".py").replace("/", ".")
        now = MOVED.get(module, module).replace(".", "/") + ".py" if name.endswith(".py") else name
        now = re.sub("^bench/(commands/|(?=cli.py|datacli.py|runscli.py|options.py))", r"bench/cli/\1", now)
        now = COMMAND_LINE.get(now, now)
        assert now in present, f"{name}: neither {now} nor an old name for another module"


def files(folder: Path) -> list[str]:
    """List the files below the unpacked package, as paths that begin with its name."""
    found = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return sorted(p.relative_to(folder.parent).as_posix() for p in found)


def test_the_version_says_which_copy_is_in_use(installed: Path, tmp_path: Path) -> None:
    """A copy in a folder of the path goes before an editable checkout, so it must be seen that it does."""
    shutil.copytree(installed, tmp_path / "second")

    def said(*path: Path) -> list[str]:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
        command = [sys.executable, "-P", "-m", "bench.cli", "--version"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    used, *others = said(installed, tmp_path / "second")
    assert used == f"cutjoin {VERSION} from {installed / 'bench'}"
    assert f"also installed, not in use: {VERSION} from {tmp_path / 'second' / 'bench'}" in others
    assert (
        said(tmp_path / "second", installed)[0] == f"cutjoin {VERSION} from {tmp_path / 'second' / 'bench'}"
    )
    here, *_ = said()
    assert here.removesuffix(" (editable)") == f"cutjoin {VERSION} from {Path(bench.__file__).parent}"


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
