"""`bench verify`, `bench gc` and `bench run` on folders that are no store, or closed in part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli.commands.upkeep import verify_all
from bench.cli.options.groups import Folders
from bench.cli.options.suites import VerifyOptions
from bench.records.marker import MARKER
from tests.conftest import Finished, bench, snapshot
from tests.users import as_other_user


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """A folder of a user, some of whose names are those of a store."""
    for name in ("checkpoints/my_model/weights.pt", "partial/draft.txt", "partial/draft/a", "claims/b"):
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_bytes(b"years of work")
    return tmp_path / "work"


def test_no_command_touches_a_folder_that_is_no_store(finished: Finished, own_folder: Path, tmp_path: Path):
    before = snapshot(own_folder)
    for words in (["gc", "--unused-days", "0"], ["verify", "--quarantine"], ["run", str(finished.suite)]):
        done = bench(*words, store=own_folder, results=tmp_path / "results")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"bench: {own_folder}: no store of cutjoin, it holds checkpoints/")
        assert snapshot(own_folder) == before


def test_check_refuses_what_a_run_would(finished: Finished, own_folder: Path, tmp_path: Path):
    before = snapshot(own_folder)
    done = bench("check", str(finished.suite), "--json", store=own_folder, results=tmp_path)
    assert done.returncode == 1
    assert "no store of cutjoin, it holds checkpoints/" in done.stdout
    assert snapshot(own_folder) == before


def test_an_old_store_is_marked_once_aloud(own_run: Finished):
    (own_run.store / MARKER).unlink()
    first, second = own_run.bench("gc", "--dry-run"), own_run.bench("gc", "--dry-run")
    assert "recognised as a store of an earlier version by its layout" in first.stderr
    assert second.stderr == ""
    (own_run.store / MARKER).unlink()
    assert own_run.bench("run", str(own_run.suite), "--json").stderr.count("recognised") == 1


def test_verify_counts_what_it_may_not_read(own_run: Finished, capsys: pytest.CaptureFixture[str]):
    for parent in (*own_run.results.parents, *own_run.store.parents):
        if "pytest" in str(parent):
            parent.chmod(0o755)
    closed = own_run.artefacts[0].parent
    record = own_run.records[0]
    record.chmod(0o000)
    closed.chmod(0o000)
    options = VerifyOptions(
        folders=Folders(results=own_run.results, store=own_run.store), suites=[], json=True
    )

    def verify() -> tuple[int, str]:
        code = verify_all(options)
        return code, capsys.readouterr().out

    code, text = as_other_user(verify)
    closed.chmod(0o755)
    found = json.loads(text)
    assert (code, found["damaged"]) == (1, [])
    assert found["unreadable"] == [f"{record}: Permission denied", f"{closed}: Permission denied"]
