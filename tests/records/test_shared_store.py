"""A store that several users share: files of others, some of them closed to all but their owner."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.records.sessions import new_name
from bench.records.store import MANIFEST, Store, check
from tests.users import as_other_user

KEY, OTHER = "ab" * 16, "cd" * 16


@pytest.fixture
def store() -> Iterator[Store]:
    """A store in which everybody may make files."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    store = Store(folder / "store")
    for key in (KEY, OTHER):
        with store.session() as run:
            store.write(key, fill, run)
    (store.root / "claims").mkdir()
    for path in store.root.rglob("*"):
        if path.is_dir():
            path.chmod(0o777)
    store.root.chmod(0o777)
    yield store
    shutil.rmtree(folder)


def fill(folder: Path) -> dict[str, str]:
    (folder / "inner").mkdir()
    (folder / "inner" / "weights").write_bytes(b"w")
    return {"stage": "encode"}


def claim_and_release(store: Store, key: str) -> bool:
    claim = store.claim(key)
    if claim is None:
        return False
    store.release(key, claim)
    return True


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o600, 0o000])
def test_a_claim_that_another_user_left_blocks_nobody(store: Store, mode: int):
    path = store.root / "claims" / KEY
    path.touch()
    path.chmod(mode)
    assert as_other_user(lambda: claim_and_release(store, KEY))
    assert as_other_user(lambda: claim_and_release(store, OTHER))


@pytest.mark.parametrize("mode", [0o666, 0o644])
def test_a_claim_that_another_user_holds_is_respected(store: Store, mode: int):
    claim = store.claim(KEY)
    assert claim is not None
    path = store.root / "claims" / KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    path.chmod(mode)
    assert not as_other_user(lambda: claim_and_release(store, KEY))
    store.release(KEY, claim)


@pytest.mark.parametrize("mode", [0o644, 0o000])
def test_what_another_users_dead_run_left_does_not_end_a_session(store: Store, mode: int):
    name = new_name()
    lock = store.root / "partial" / f"{name}.lock"
    lock.touch()
    lock.chmod(mode)
    (store.root / "partial" / name).mkdir(mode=0o755)

    def session() -> bool:
        with store.session() as run:
            return (store.root / "partial" / run).is_dir()

    assert as_other_user(session)


def test_what_may_not_be_read_is_named_and_not_called_damaged(store: Store):
    closed = store.folder(KEY).parent
    closed.chmod(0o000)
    assert as_other_user(store.unreadable) == [f"{closed}: Permission denied"]
    assert as_other_user(store.keys) == [OTHER]
    found = as_other_user(lambda: store.collect(-86400.0, dry_run=True))
    assert (found.count, found.problems) == (1, [f"{closed}: Permission denied"])
    closed.chmod(0o777)


def test_an_artefact_with_a_closed_folder_is_not_put_aside(store: Store):
    inner = store.folder(KEY) / "inner"
    inner.chmod(0o000)
    for look in (lambda: check(store.folder(KEY)), lambda: store.open(KEY), lambda: store.metadata(KEY)):
        with pytest.raises(PermissionError, match="inner"):
            as_other_user(look)
    inner.chmod(0o777)
    assert store.open(KEY) is not None


def test_gc_names_what_it_may_not_remove_and_goes_on(store: Store):
    then = time.time() - 40 * 86400
    for key in (KEY, OTHER):
        os.utime(store.folder(key) / MANIFEST, (then, then))
    store.folder(KEY).parent.chmod(0o755)
    found = as_other_user(lambda: store.collect(30 * 86400, dry_run=False))
    assert found.count == 1
    assert found.problems == [f"{store.folder(KEY)}: Permission denied"]
    assert store.keys() == [KEY]
