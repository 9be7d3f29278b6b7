"""Fingerprints depend on the content of files alone, whatever is cached."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.planning import fingerprint
from bench.planning.fingerprint import Fingerprints
from tests.conftest import snapshot


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    root = tmp_path / "data"
    root.mkdir()
    paths = [root / f"{i}.bin" for i in range(20)]
    for i, path in enumerate(paths):
        path.write_bytes(bytes([i]) * 100)
    return paths


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count files as settled at once, so that they are cached."""
    monkeypatch.setattr(fingerprint, "_SETTLED_NS", -1)


def of(database: Path, files: list[Path], *, read_only: bool = False) -> str:
    return Fingerprints(database, read_only=read_only).of(files[0].parent, files)


def test_order_location_and_times_are_irrelevant(tmp_path: Path, files: list[Path]):
    first = of(tmp_path / "db", files)
    assert of(tmp_path / "db", files[::-1]) == first
    copy = tmp_path / "elsewhere"
    shutil.copytree(files[0].parent, copy)
    assert of(tmp_path / "db", sorted(copy.iterdir())) == first
    os.utime(files[3], (0, 0))
    assert of(tmp_path / "db", files) == first


@pytest.mark.usefixtures("settled")
def test_a_change_is_noticed_despite_same_size_and_forged_time(tmp_path: Path, files: list[Path]):
    first = of(tmp_path / "db", files)
    before = files[0].stat()
    files[0].write_bytes(b"\xff" * 100)
    os.utime(files[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files[0].stat().st_mtime_ns == before.st_mtime_ns
    assert of(tmp_path / "db", files) != first


def test_a_change_right_after_the_first_read_is_noticed(tmp_path: Path, files: list[Path], monkeypatch):
    """Two writes within one clock tick leave equal timestamps, so a fresh file is never cached."""
    now = time.time_ns()
    monkeypatch.setattr(fingerprint, "_stamp", lambda _: f"100:1:{now}:0")
    first = of(tmp_path / "db", files)
    files[0].write_bytes(b"\xff" * 100)
    assert of(tmp_path / "db", files) != first


def test_a_renamed_added_or_removed_file_is_noticed(tmp_path: Path, files: list[Path]):
    first = of(tmp_path / "db", files)
    assert of(tmp_path / "db", files[1:]) != first
    renamed = files[0].rename(files[0].with_name("other.bin"))
    assert of(tmp_path / "db", [renamed, *files[1:]]) != first


@pytest.mark.usefixtures("settled")
def test_unchanged_files_are_read_once(tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch):
    first = of(tmp_path / "db", files)
    read: list[Path] = []
    real = fingerprint._hash

    def noted(path: Path) -> str:
        read.append(path)
        return real(path)

    monkeypatch.setattr(fingerprint, "_hash", noted)
    assert of(tmp_path / "db", files) == first
    assert read == []
    files[7].write_bytes(b"new")
    of(tmp_path / "db", files)
    assert read == [files[7]]


@pytest.mark.slow
@pytest.mark.usefixtures("settled")
def test_a_database_with_flipped_bits_never_changes_a_fingerprint(tmp_path: Path, files: list[Path]):
    database = tmp_path / "db"
    first = of(database, files)
    whole = database.read_bytes()
    rng = random.Random(0)
    for _ in range(200):
        flipped = bytearray(whole)
        at = rng.randrange(8 * len(whole))
        flipped[at // 8] ^= 1 << at % 8
        database.write_bytes(flipped)
        assert of(database, files) == first
        assert of(database, files, read_only=True) == first
    for damaged in (b"", b"no database", whole[: len(whole) // 2], os.urandom(4096)):
        database.write_bytes(damaged)
        assert of(database, files, read_only=True) == first
        assert of(database, files) == first


@pytest.mark.usefixtures("settled")
def test_a_row_with_another_hash_is_ignored(tmp_path: Path, files: list[Path]):
    first = of(tmp_path / "db", files)
    with sqlite3.connect(tmp_path / "db") as db:
        assert db.execute("update files set hash = ?", ["0" * 32]).rowcount == len(files)
    db.close()
    assert of(tmp_path / "db", files) == first


@pytest.mark.usefixtures("settled")
def test_read_only_writes_nothing(tmp_path: Path, files: list[Path]):
    before = snapshot(tmp_path)
    absent = of(tmp_path / "none" / "db", files, read_only=True)
    assert snapshot(tmp_path) == before
    assert of(tmp_path / "db", files[:10]) != absent
    before = snapshot(tmp_path)
    assert of(tmp_path / "db", files, read_only=True) == absent
    assert snapshot(tmp_path) == before


def test_a_locked_database_only_costs_time(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fingerprint, "_SETTLED_NS", -1)
    first = of(tmp_path / "db", files)
    (tmp_path / "data" / "20.bin").write_bytes(b"new")
    files = sorted((tmp_path / "data").iterdir())
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "timeout": 0.05}))
    holder = real(tmp_path / "db")
    holder.execute("begin exclusive")
    held = Fingerprints(tmp_path / "db", read_only=True).of(tmp_path / "data", files)
    holder.rollback()
    holder.close()
    assert held == of(tmp_path / "db", files) != first


def test_a_name_that_is_not_utf_8(tmp_path: Path):
    root = tmp_path / "data"
    root.mkdir()
    try:
        paths = [Path(os.fsdecode(os.fsencode(root) + name)) for name in (b"/\xff.jpg", b"/\xfe.jpg")]
        for path in paths:
            path.write_bytes(b"x")
    except OSError as e:  # macOS
        pytest.skip(f"this file system takes UTF-8 names only: {e}")
    assert of(tmp_path / "db", paths[:1]) != of(tmp_path / "db", paths[1:])


def test_a_missing_file_or_one_outside_the_root_is_a_data_error(tmp_path: Path, files: list[Path]):
    with pytest.raises(DataError, match=r"gone.*cannot be read"):
        Fingerprints(tmp_path / "db").content(tmp_path / "gone")
    (tmp_path / "outside").write_bytes(b"")
    with pytest.raises(DataError, match="not below"):
        of(tmp_path / "db", [*files, tmp_path / "outside"])


def test_content_depends_on_the_bytes_alone(tmp_path: Path):
    for name, data in (("a", b"x"), ("b", b"x"), ("c", b"y")):
        (tmp_path / name).write_bytes(data)
    prints = Fingerprints(tmp_path / "db")
    a, b, c = (prints.content(tmp_path / n) for n in "abc")
    assert a == b != c
