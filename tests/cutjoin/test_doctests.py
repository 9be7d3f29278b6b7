"""The examples in the docstrings of the public package run, and say what comes out."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import shutil
from pathlib import Path

import pytest

import bench.api
import cutjoin
from cutjoin import Suite
from tests.conftest import Finished

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MUST_HAVE = {"load_suite", "run", "records", "images", "leaderboard", "score", "multicut", "verify"}


def modules() -> list[str]:
    own = [f"{p.__name__}.{m.name}" for p in (cutjoin, bench.api) for m in pkgutil.iter_modules(p.__path__)]
    return sorted({"cutjoin", *own, *cutjoin._HOMES})


def examples(module: str) -> list[doctest.DocTest]:
    return [t for t in doctest.DocTestFinder().find(importlib.import_module(module)) if t.examples]


@pytest.fixture
def given(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return what the examples find: a finished suite's folder, and folders to run others in."""
    shutil.copytree(finished.results, tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return {
        "cutjoin": cutjoin,
        "folder": tmp_path / "results" / "tiny",
        "results": tmp_path / "results",
        "store": finished.store,
    }


@pytest.mark.parametrize("module", [m for m in modules() if examples(m)])
def test_examples(module: str, given: dict[str, object]) -> None:
    for test in examples(module):
        test.globs.update(given)
        shown: list[str] = []
        failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=shown.append)
        assert not failed, "".join(shown)


def test_every_function_has_an_example() -> None:
    having = {test.name.rpartition(".")[2] for module in modules() for test in examples(module)}
    assert {name for name in cutjoin.__all__ if name.islower()} - {"run_stage"} == MUST_HAVE
    assert having >= MUST_HAVE
    assert isinstance(cutjoin.load_suite("quickstart"), Suite)
