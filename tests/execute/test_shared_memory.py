"""Shared memory counts once, and only what came after the stage began is removed."""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.execute.shared_memory import SharedMemory

SHM = Path("/dev/shm")
MIB = 1 << 20
pytestmark = pytest.mark.skipif(not SHM.is_dir(), reason="Linux only")


@pytest.fixture
def file() -> Iterator[Path]:
    path = SHM / f"cutjoin-test-{secrets.token_hex(6)}"
    yield path
    path.unlink(missing_ok=True)


def measured(shared: SharedMemory, enough: int = 0) -> int:
    return shared.measure([psutil.Process()], enough)


@pytest.mark.parametrize("enough", [0, 1 << 40])
def test_a_file_counts_open_mapped_and_closed_but_once(file: Path, enough: int):
    shared = SharedMemory()
    before = measured(shared, enough)
    with file.open("w+b") as handle:
        handle.write(bytes(32 * MIB))
        handle.flush()
        assert measured(shared, enough) - before == pytest.approx(32 * MIB, abs=MIB)
        with mmap.mmap(handle.fileno(), 0) as mapped:
            assert sum(mapped[:: 1 << 12]) == 0  # all of it resident
            assert measured(shared, enough) - before == pytest.approx(32 * MIB, abs=MIB)
    assert measured(shared, enough) - before == pytest.approx(32 * MIB, abs=MIB)
    shared.remove()
    assert not file.exists()
    assert measured(shared, enough) == pytest.approx(before, abs=MIB)


def test_a_file_that_is_announced_before_it_is_there_is_removed(file: Path):
    shared = SharedMemory()
    shared.note(str(file))
    file.write_bytes(b"closed at once")
    shared.remove()
    assert not file.exists()


def test_a_map_without_a_file_and_a_file_add_up(file: Path):
    shared = SharedMemory()
    before = measured(shared)
    with mmap.mmap(-1, 16 * MIB) as mapped:
        mapped[:] = bytes(16 * MIB)
        with file.open("wb") as handle:
            handle.write(bytes(16 * MIB))
            handle.flush()
            assert measured(shared) - before == 32 * MIB


def test_a_file_without_a_name_counts():
    shared = SharedMemory()
    before = measured(shared)
    handle = os.memfd_create("cutjoin-test")
    os.write(handle, bytes(8 * MIB))
    assert measured(shared) - before == 8 * MIB
    os.close(handle)


def test_what_was_there_before_or_has_been_replaced_stays(file: Path):
    file.write_bytes(b"of another program")
    later = SharedMemory()
    with file.open("rb"):
        measured(later)
    later.note(str(file))
    later.remove()
    assert file.read_bytes() == b"of another program"
    file.unlink()
    shared = SharedMemory()
    with file.open("wb"):
        measured(shared)
    file.unlink()
    file.write_bytes(b"of another program")
    shared.remove()
    assert file.read_bytes() == b"of another program"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "/dev/shm/../../etc/passwd", "/dev/shm", "/dev/shm/\ud800", ""]
)
def test_nothing_else_is_taken_for_shared_memory(name: str):
    shared = SharedMemory()
    shared.note(name)
    shared.remove()
    assert Path("/etc/passwd").exists()
    assert SHM.is_dir()
