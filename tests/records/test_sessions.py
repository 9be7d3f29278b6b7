"""What dead runs left is swept, what runs elsewhere may still write is not."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from bench.records.sessions import boot_id, host_id, new_name
from bench.records.store import Store
from tests.records.stores import KEY, OTHER, WRITE, age, process, write


def test_a_session_removes_leftovers_of_dead_runs_but_not_of_live_ones(store: Store):
    with process(WRITE, store.root, KEY, "x", "sleep") as dead:
        dead.kill()
        dead.wait()
    partial = store.root / "partial"
    (partial / f"{new_name()}.lock").touch()  # died before it made its folder
    (partial / new_name()).mkdir()
    with process(WRITE, store.root, OTHER, "x", "sleep") as alive:
        with store.session() as own, store.session() as second:
            left = {p.name.removesuffix(".lock") for p in partial.iterdir()}
            assert {own, second} < left
            assert [name.split("-")[0] for name in left - {own, second}] == [str(alive.pid)]
            assert len(list(partial.glob("*/*/a"))) == 1
        alive.kill()
        alive.wait()
    with store.session():
        pass
    assert list(partial.iterdir()) == []


OTHER_HOST = "1234-aabbccddeeff.11111111-2222-3333-4444-555555555555.elsewhere-0badcafe"


@pytest.mark.parametrize("name", [OTHER_HOST, "1234-aabbccddeeff"])  # the second as older versions named them
def test_what_a_run_on_another_host_writes_is_left_alone_for_days(store: Store, name: str):
    """Its lock may not be visible here: network file systems may keep locks to one node."""
    write(store)
    partial = store.root / "partial"
    (partial / name / f"{KEY}.0a0b0c0d").mkdir(parents=True)
    file = partial / name / f"{KEY}.0a0b0c0d" / "half"
    file.write_bytes(b"written at this moment")
    (partial / f"{name}.lock").touch()
    for path in (file.parent, partial / name, partial / f"{name}.lock"):
        age(path, days=30)
    with store.session():
        assert file.read_bytes() == b"written at this moment"
    age(file, days=6)
    with store.session():
        assert file.exists()
    age(file, days=8)
    with store.session():
        assert [p.name for p in partial.iterdir() if p.name.startswith("1234-")] == []


def test_what_this_host_left_before_it_started_again_is_swept_at_once(store: Store):
    before = f"77-aabbccddeeff.11111111-2222-3333-4444-555555555555.{host_id()}"
    renamed = f"78-aabbccddeeff.{boot_id()}.container-0badcafe"  # the same kernel: its locks are seen here
    for name in (before, renamed):
        (store.root / "partial" / name).mkdir(parents=True)
    with store.session() as own:
        assert {p.name for p in (store.root / "partial").iterdir()} == {own, f"{own}.lock"}


def test_a_run_gives_signs_of_life(store: Store):
    with store.session() as run:
        lock = store.root / "partial" / f"{run}.lock"
        age(lock, days=8)
        store.sign_of_life(run)
        assert time.time() - lock.stat().st_mtime < 60


def test_many_sessions_start_at_once_over_the_leftovers_of_many(store: Store):
    partial = store.root / "partial"
    for _ in range(300):
        (partial / new_name()).mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path; from bench.records.store import Store\n"
        "for _ in range(20):\n  with Store(Path(sys.argv[1])).session() as run:\n"
        "    assert (Path(sys.argv[1]) / 'partial' / run).is_dir()\n"
    )
    starts = [subprocess.Popen([sys.executable, "-c", code, str(store.root)]) for _ in range(4)]
    assert [s.wait(60) for s in starts] == [0] * 4
    assert list(partial.iterdir()) == []
