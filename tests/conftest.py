"""What tests of several folders share: real images, small suites, and one small finished run."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# In CI the examples are fixed, so that no change fails by chance; elsewhere new ones are drawn each time.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

_STARTS_PROCESSES = re.compile(
    r"\bsubprocess\b|conftest import .*\bbench\b|execute\.(runs|local)\b|figures\.runs\b"
    r"|methods\.killed|encoders\.trained|cutjoin\.run\("
)
"""What the text of a test module has that starts processes, itself or by a helper."""
_RUN_FIRST = {"finished", "drawn", "browser"}
"""Fixtures that run a suite or a browser first."""

TINY = """\
title: Tiny
seeds: [0, 1]
bootstrap: {replicates: 20}
datasets:
  - name: Tiny plankton
    use: kaggle_plankton
    size: 16
    synthetic: {images: 60}
methods:
  - grid:
      encoder: [pixels, polar_fft]
      clusterer: [kmeans, ward]
tables:
  - {id: short, columns: [nmi, vi]}
"""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m fast` leave modules that start processes alone: importing what they test takes long, too."""
    wanted = config.getoption("markexpr") == "fast" and collection_path.name.startswith("test_")
    return True if wanted and _starts_processes(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `fast` what neither starts processes nor is marked slow."""
    for item in items:
        slow = item.get_closest_marker("slow") or _RUN_FIRST & set(getattr(item, "fixturenames", ()))
        if not slow and not _starts_processes(item.path):
            item.add_marker("fast")


@functools.cache
def _starts_processes(module: Path) -> bool:
    return bool(_STARTS_PROCESSES.search(module.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Finished:
    """A suite that has run: where its file, store and results are."""

    suite: Path
    store: Path
    results: Path

    def bench(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command on this store and these results."""
        return bench(*words, store=self.store, results=self.results)

    @property
    def records(self) -> list[Path]:
        """The files of the records, sorted."""
        return sorted((self.results / "tiny" / "records").glob("*.json"))

    @property
    def artefacts(self) -> list[Path]:
        """The folders of the artefacts, sorted."""
        return sorted((self.store / "artefacts").glob("??/*"))


def bench(
    *words: str, store: Path, results: Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `bench` in a process of its own, with nothing of this machine's configuration."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("BENCH_")}
    env |= {"BENCH_STORE": str(store), "BENCH_RESULTS": str(results), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-m", "bench.cli", *words],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
    )


def write_suite(folder: Path, text: str = TINY, name: str = "suite.yaml") -> Path:
    """Write a suite file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def snapshot(*folders: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time of change and content of everything below some folders."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            s = path.lstat()
            found[str(path)] = (s.st_mode, s.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


def once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder that was filled once, for all modules and all workers of a session."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / name).exists():
            partly = base / f"{name}.partly"
            shutil.rmtree(partly, ignore_errors=True)  # of a worker that failed
            partly.mkdir()
            fill(partly)
            partly.rename(base / name)
    return base / name


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of real sample images."""
    folder = Path(os.environ.get("CUTJOIN_SAMPLES") or Path(__file__).parents[2] / "shared" / "samples")
    if not (folder / "kaggle_plankton").is_dir():
        pytest.skip(f"no real images: {folder / 'kaggle_plankton'} is absent")
    return folder


@pytest.fixture
def few_images(samples: Path, tmp_path: Path) -> Path:
    """Return a data folder with ten real images of each of two classes, in the layout of kaggle_plankton."""
    train = next(p for p in sorted((samples / "kaggle_plankton").rglob("train")) if p.is_dir())
    classes = sorted(p for p in train.iterdir() if len(list(p.glob("*.jpg"))) >= 10)[:2]
    return _copied(classes, tmp_path / "data")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return one finished run of a tiny suite. Read it only; `own_run` gives a copy to damage."""

    def run(base: Path) -> None:
        suite = str(write_suite(base, TINY, "tiny.yaml"))
        done = bench("run", suite, "--quiet", "--jobs", "2", store=base / "store", results=base / "results")
        assert done.returncode == 0, done.stdout + done.stderr

    base = once(tmp_path_factory, "finished", run)
    return Finished(base / "tiny.yaml", base / "store", base / "results")


@pytest.fixture
def own_run(finished: Finished, tmp_path: Path) -> Finished:
    """Return a copy of the finished run that the test may change."""
    for source, name in ((finished.store, "store"), (finished.results, "results")):
        shutil.copytree(source, tmp_path / name)
    return Finished(finished.suite, tmp_path / "store", tmp_path / "results")


def _copied(classes: Sequence[Path], data: Path) -> Path:
    for folder in classes:
        target = data / "kaggle_plankton" / "train" / folder.name
        target.mkdir(parents=True)
        for image in sorted(folder.glob("*.jpg"))[:10]:
            shutil.copyfile(image, target / image.name)
    return data
