"""The store under flipped bits, killed writers, and many processes at once."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import DiskFull, UsageError
from bench.records.marker import MARKER
from bench.records.store import MANIFEST, Collected, Store, check
from bench.util.durable import Damaged
from tests.conftest import Finished, snapshot
from tests.records.stores import KEY, OTHER, START, WRITE, age, fill, process, users_folder, write


def test_a_written_artefact_can_be_opened(store: Store):
    assert not store.holds(KEY)
    assert store.open(KEY) is None
    assert store.metadata(KEY) is None
    folder = write(store)
    assert store.holds(KEY)
    opened = store.open(KEY)
    assert opened is not None
    assert (opened.folder, opened.metadata, store.metadata(KEY)) == (
        folder,
        {"stage": "encode"},
        {"stage": "encode"},
    )
    assert store.keys() == [KEY]
    assert list((store.root / "partial").iterdir()) == []


def test_a_failed_writer_leaves_nothing(store: Store):
    def fail(folder: Path) -> dict[str, Any]:
        fill(folder)
        raise KeyboardInterrupt

    with store.session() as run:
        with pytest.raises(KeyboardInterrupt):
            store.write(KEY, fail, run)
        assert list((store.root / "partial" / run).iterdir()) == []
    assert store.open(KEY) is None


# Damage


def every_file(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at // 8] ^= 1 << at % 8
    path.chmod(0o644)
    path.write_bytes(data)


def test_every_flipped_bit_of_200_is_noticed_and_recomputed(own_run: Finished):
    """Single flips anywhere in the artefacts of a real run, manifests included."""
    store = Store(own_run.store)
    files = [p for a in own_run.artefacts for p in every_file(a) if p.stat().st_size]
    by_name = {p.name: p for p in files}  # at least one of every kind of file, then any
    rng = random.Random(0)
    for i, path in enumerate([*by_name.values(), *rng.choices(files, k=200 - len(by_name))]):
        artefact = next(p for p in path.parents if p.parent.parent.name == "artefacts")
        kept = own_run.store / f"kept{i}"
        shutil.copytree(artefact, kept)
        flip(path, rng.randrange(8 * path.stat().st_size))
        assert store.open(artefact.name) is None, f"{path} unnoticed"
        assert not artefact.exists()
        kept.rename(artefact)
        assert store.open(artefact.name) is not None
    assert len(list((own_run.store / "quarantine").iterdir())) == 200


def truncate(folder: Path) -> None:
    os.truncate(folder / "features.npy", 10)


def lengthen(folder: Path) -> None:
    with (folder / "features.npy").open("ab") as f:
        f.write(b"x")


def swap(folder: Path) -> None:
    a, b = folder / "empty", folder / "inner" / "weights"
    a.rename(folder / "x")
    b.rename(a)
    (folder / "x").rename(b)


def move(folder: Path) -> None:
    (folder / "inner" / "weights").rename(folder / "weights")


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "lengthened": lengthen,
    "a file missing": lambda f: (f / "features.npy").unlink(),
    "an empty file missing": lambda f: (f / "empty").unlink(),
    "an extra file": lambda f: (f / "extra").write_bytes(b""),
    "files swapped": swap,
    "a file moved": move,
    "no manifest": lambda f: (f / MANIFEST).unlink(),
    "an empty manifest": lambda f: (f / MANIFEST).write_bytes(b""),
    "a list for a manifest": lambda f: (f / MANIFEST).write_bytes(b"[]"),
    "nothing": empty,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_artefact_is_quarantined_and_can_be_recomputed(store: Store, how: str):
    DAMAGE[how](write(store))
    with pytest.raises((Damaged, FileNotFoundError)):
        check(store.folder(KEY))
    assert store.open(KEY) is None
    assert not store.folder(KEY).exists()
    assert len(list((store.root / "quarantine").iterdir())) == 1
    write(store)
    assert store.open(KEY) is not None


@pytest.mark.parametrize("how", sorted(set(DAMAGE) - {"files swapped"}))
def test_a_check_without_contents_notices_wrong_sizes_and_names(store: Store, how: str):
    DAMAGE[how](write(store))
    assert store.metadata(KEY) is None


def test_an_artefact_under_another_key_is_noticed(store: Store):
    folder = write(store)
    store.folder(OTHER).parent.mkdir(parents=True)
    shutil.copytree(folder, store.folder(OTHER))
    assert store.open(OTHER) is None
    assert store.open(KEY) is not None


def test_a_torn_artefact_never_blocks_its_key(store: Store):
    """Not even if it is not opened before it is written again."""
    (write(store) / MANIFEST).unlink()
    assert not store.holds(KEY)
    write(store, text=b"second")
    opened = store.open(KEY)
    assert opened is not None
    assert (opened.folder / "features.npy").read_bytes() == b"second" * 50


# Many processes


def test_two_processes_write_one_key_at_once(store: Store):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", START + WRITE, str(store.root), KEY, who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in "xy"
    ]
    for child in both:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"  # both are in the middle of it
    for child in both:
        child.communicate("go\n", timeout=60)
        assert child.returncode == 0
    opened = store.open(KEY)
    assert opened is not None
    assert (opened.folder / "a").read_bytes() == opened.metadata["who"].encode() * 100_000
    assert list((store.root / "partial").iterdir()) == []
    assert not (store.root / "quarantine").exists()


def test_a_killed_writer_leaves_nothing_visible_and_blocks_nobody(store: Store):
    with process(WRITE, store.root, KEY, "x", "sleep") as child:
        assert len(list((store.root / "partial").glob("*/*/a"))) == 1
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not store.holds(KEY)
    assert store.open(KEY) is None
    write(store)
    assert store.open(KEY) is not None
    assert list((store.root / "partial").iterdir()) == []


CLAIM = """
claim = store.claim(sys.argv[2])
assert claim is not None
print("ready", flush=True)
time.sleep(60)
"""


def test_claims_exclude_each_other_and_vanish_with_their_process(store: Store):
    with process(CLAIM, store.root, KEY) as holder:
        assert store.claim(KEY) is None
        other = store.claim(OTHER)
        assert other is not None
        store.release(OTHER, other)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        claim = store.claim(KEY)
    assert claim is not None
    assert store.claim(KEY) is None
    store.release(KEY, claim)
    assert list((store.root / "claims").iterdir()) == []
    again = store.claim(KEY)
    assert again is not None
    again.close()


def test_only_one_of_many_processes_has_a_claim_at_any_time(store: Store, tmp_path: Path):
    """A file that only the holder may create finds two holders at once."""
    code = (
        "import sys; from pathlib import Path; from bench.records.store import Store\n"
        "store, mark, wins = Store(Path(sys.argv[1])), Path(sys.argv[2]), 0\n"
        "while wins < 100:\n"
        "  claim = store.claim('k')\n"
        "  if claim is None: continue\n"
        "  mark.touch(exist_ok=False); mark.unlink(); wins += 1\n"
        "  store.release('k', claim)\n"
    )
    words = [sys.executable, "-c", code, str(store.root), str(tmp_path / "mark")]
    rivals = [subprocess.Popen(words) for _ in range(3)]
    assert [r.wait(120) for r in rivals] == [0] * 3


# Upkeep


def test_gc_removes_what_was_unused_for_long(store: Store):
    for key in (KEY, OTHER):
        age(write(store, key) / MANIFEST, days=40)
    assert store.open(OTHER) is not None  # opening counts as use
    before = snapshot(store.root)
    found = store.collect(30 * 86400, dry_run=True)
    assert found == Collected(1, sum(p.stat().st_size for p in every_file(store.folder(KEY))))
    assert snapshot(store.root) == before
    assert store.collect(30 * 86400, dry_run=False) == found
    assert store.keys() == [OTHER]
    assert store.collect(30 * 86400, dry_run=False) == Collected()
    assert list((store.root / "partial").iterdir()) == []


def test_gc_removes_old_checkpoints_and_quarantine_too(store: Store):
    flip(write(store) / "features.npy", 0)
    assert store.open(KEY) is None
    (jailed,) = (store.root / "quarantine").iterdir()
    age(jailed / MANIFEST, days=40)
    for key, days in ((KEY, 40.0), (OTHER, 1.0)):
        store.checkpoints(key).mkdir(parents=True)
        (store.checkpoints(key) / "epoch").write_bytes(b"1")
        age(store.checkpoints(key), days)
    assert store.collect(30 * 86400, dry_run=False).count == 2
    assert not jailed.exists()
    assert not store.checkpoints(KEY).exists()
    assert store.checkpoints(OTHER).exists()


def test_several_gcs_at_once(store: Store):
    for i in range(60):
        age(write(store, f"{i:032d}") / MANIFEST, days=40)
    code = (
        "import sys; from pathlib import Path; from bench.records.store import Store\n"
        "print(Store(Path(sys.argv[1])).collect(86400, dry_run=False).count)"
    )
    words = [sys.executable, "-c", code, str(store.root)]
    all_gcs = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    counts = [int(p.communicate(timeout=60)[0]) for p in all_gcs]
    assert [p.returncode for p in all_gcs] == [0] * 3
    assert sum(counts) == 60
    assert store.keys() == []


def test_a_finished_stage_drops_its_checkpoints(store: Store):
    store.checkpoints(KEY).mkdir(parents=True)
    (store.checkpoints(KEY) / "epoch").write_bytes(b"1")
    write(store)
    assert not store.checkpoints(KEY).exists()


def test_files_of_a_user_in_a_real_store_stay(store: Store):
    write(store)
    users_folder(store.root)
    before = {k: v for k, v in snapshot(store.root).items() if "my_model" in k or "draft" in k}
    flip(write(store, OTHER) / "features.npy", 0)
    assert store.open(OTHER) is None
    (store.root / "quarantine" / "notes").mkdir()
    assert store.collect(-86400.0, dry_run=False).count == 2  # the artefact and what was put aside
    after = snapshot(store.root)
    assert {k: v for k, v in after.items() if "my_model" in k or "draft" in k} == before
    assert (store.root / "quarantine" / "notes").is_dir()


@pytest.mark.parametrize("make", [None, Path.mkdir, Path.touch])
def test_gc_makes_no_store(tmp_path: Path, make: Callable[[Path], None] | None):
    if make is not None:
        make(tmp_path / "x")
    with pytest.raises(UsageError, match=r"x: (there is no such folder|no store|a file)"):
        Store(tmp_path / "x").collect(0.0, dry_run=False)
    assert not (tmp_path / "x" / MARKER).exists()


def test_what_is_dated_in_the_future_grows_old_from_now_on(store: Store):
    for key in (KEY, OTHER):
        age(write(store, key) / MANIFEST, days=-300)
    assert store.collect(30 * 86400, dry_run=True) == Collected(future=2)
    assert store.collect(30 * 86400, dry_run=False) == Collected(future=2)
    assert all(abs((store.folder(k) / MANIFEST).stat().st_mtime - time.time()) < 60 for k in (KEY, OTHER))
    age(store.folder(KEY) / MANIFEST, days=31)
    assert store.collect(30 * 86400, dry_run=False).count == 1
    assert store.keys() == [OTHER]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_artefact_whose_manifest_cannot_be_written_does_not_appear(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int
):
    """All its other files are on disk by then."""
    real = os.fsync

    def fail(handle: int) -> None:
        if ".manifest.json." in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(number, os.strerror(number))
        real(handle)

    with store.session() as run:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="store") as caught:
            store.write(KEY, fill, run)
        assert isinstance(caught.value, DiskFull) == (number == errno.ENOSPC)
        assert list((store.root / "partial" / run).iterdir()) == []
        monkeypatch.undo()
        assert not store.folder(KEY).exists()
        store.write(KEY, fill, run)
    assert store.open(KEY) is not None
