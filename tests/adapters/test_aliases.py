"""Adapter files written for version 0.1 still run and keep their keys."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import perf
from bench.adapters.aliases import MOVED
from bench.records.record import read

WRITTEN_FOR_0_1 = Path(__file__).parents[1] / "golden" / "adapters"
KEYS_OF_0_1 = {
    "code": "c39029d23327335a73b7d64451391233",
    "all in one": "fb164d3acc4338f11db8bc3a75a86bea",
    "each alone": "d0f6b5b7510e0cb8337a78e31c0a4460",
    "random sizes": "cfa4abb7061522737640e44021f38d21",
}
"""Method -> key of its cell, as version 0.1 planned this suite."""


def bmp(value: int, step: int) -> bytes:
    """Return a grey image of 16 x 16 pixels, the same bytes on every machine."""
    rows = b"".join(bytes([(value + step * x + 3 * y) % 256] * 3) for y in range(16) for x in range(16))
    head = struct.pack("<2sIHHI", b"BM", 54 + len(rows), 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, 16, 16, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("of 0.1")
    for path in WRITTEN_FOR_0_1.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    (folder / "images").mkdir()
    for i in range(10):
        (folder / "images" / f"smooth-{i}.bmp").write_bytes(bmp(10 * i, 1))
        (folder / "images" / f"striped-{i}.bmp").write_bytes(bmp(10 * i, 40))
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the suite with Python's default warning filters."""
    words = ["run", "suite.yaml", "--store", "store", "--results", "results", "--json"]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONWARNINGS"}
    command = [sys.executable, "-P", "-m", "bench.cli", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_they_run_and_keep_their_keys(run: subprocess.CompletedProcess[str], folder: Path):
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["statuses"] == {"ok": 4}
    records = [read(p) for p in (folder / "results" / "suite" / "records").glob("*.json")]
    assert {r.method: r.key for r in records} == KEYS_OF_0_1
    assert [s.warnings for r in records for s in r.stages if s.warnings] == []  # as in 0.1's records


def test_the_user_is_warned_once_with_the_location_and_new_name(run: subprocess.CompletedProcess[str]):
    warned = [line for line in run.stderr.splitlines() if "MovedWarning" in line]
    assert len(warned) == 2
    for file, line, old, new in (
        ("flat_folder.py", 8, "bench.fileset", "bench.layouts.fileset"),
        ("linear_code.py", 8, "bench.durable", "bench.util.durable"),
    ):
        assert any(f"{file}:{line}: MovedWarning: {old} is now {new};" in text for text in warned)


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_module_itself(old: str):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"^{old} is now {MOVED[old]};"):
        module = importlib.import_module(old)
    assert module is importlib.import_module(MOVED[old])
    assert module.__spec__ is not None
    assert module.__spec__.name == MOVED[old]


def test_the_benchmarks_know_the_same_old_names():
    assert all(MOVED[old] == new for new, old in perf.OLD_NAMES.items())


def test_no_module_has_an_old_name():
    for old in MOVED:
        parent, _, name = old.rpartition(".")
        (home,) = importlib.import_module(parent).__path__
        assert not (Path(home) / f"{name}.py").exists()
        assert not (Path(home) / name).exists()
