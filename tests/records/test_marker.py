"""A store is marked; a folder that is none is refused and not touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.records.marker import MARKER, claim_folder
from bench.records.store import Store
from tests.conftest import snapshot
from tests.records.stores import KEY, users_folder, write


def test_a_folder_that_is_no_store_is_refused_and_not_touched(tmp_path: Path):
    before = users_folder(tmp_path / "work")
    for use in (lambda s: s.collect(0.0, dry_run=False), lambda s: s.session().__enter__()):
        with pytest.raises(UsageError, match=r"work: no store of cutjoin, it holds checkpoints/, .*partial/"):
            use(Store(tmp_path / "work"))
    assert snapshot(tmp_path / "work") == before


def test_a_store_from_before_markers_is_marked_once_and_aloud(store: Store):
    write(store)
    (store.root / MARKER).unlink()
    (store.root / "notes.txt").write_text("beside it")
    notice = claim_folder(store.root)
    assert notice == (
        f"{store.root}: recognised as a store of an earlier version by its layout; marked by {MARKER}"
    )
    assert claim_folder(store.root) is None
    assert store.keys() == [KEY]


def test_an_old_store_without_artefacts_is_recognised_too(store: Store):
    write(store)
    (store.root / MARKER).unlink()
    shutil.rmtree(store.folder(KEY))
    store.checkpoints(KEY).mkdir(parents=True)
    assert "recognised" in str(claim_folder(store.root))


def test_a_new_store_is_marked_without_a_word(tmp_path: Path):
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    for root in (tmp_path / "new", tmp_path / "disk"):
        assert claim_folder(root) is None
        assert json.loads((root / MARKER).read_text())["version"] == 1


@pytest.mark.parametrize(
    ("marker", "problem"),
    [('{"version": 2}', "layout 2, .*update cutjoin"), ("[]", "not the marker"), ("", "not the marker")],
)
def test_a_marker_of_a_later_version_or_of_none_is_refused(store: Store, marker: str, problem: str):
    write(store)
    (store.root / MARKER).write_text(marker)
    with pytest.raises(UsageError, match=problem):
        store.collect(0.0, dry_run=False)
    assert store.keys() == [KEY]
