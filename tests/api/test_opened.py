"""Results named in any of the ways that users have."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api.opened import open_results, store_of, suites_in
from bench.errors import UsageError
from cutjoin import FinishedRun
from tests.conftest import Finished


def test_by_folder_and_by_what_a_run_returned(finished: Finished, real: FinishedRun) -> None:
    folder = finished.results / "tiny"
    assert open_results(folder).folder == open_results(str(folder)).folder == folder
    assert open_results(real).folder == real.folder
    assert [r.suite for r in suites_in(real)] == ["real"]
    assert [r.suite for r in suites_in(finished.results)] == ["tiny"]


def test_from_inside_the_folder(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.results / "tiny")
    found = open_results(".")
    assert found.suite == "tiny"
    assert found.read_plan().suite == "tiny"
    monkeypatch.chdir(finished.results)
    assert [r.suite for r in suites_in(".")] == ["tiny"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing has run into"):
        open_results("tiny", results=tmp_path)


@pytest.mark.slow
def test_the_store_of_a_run_is_the_default_for_what_it_returned(
    real: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "of the user"))
    assert store_of(real).root == real.store
    assert store_of(real, tmp_path / "x").root == tmp_path / "x"
    assert store_of(None).root == store_of(real.folder).root == tmp_path / "of the user"
