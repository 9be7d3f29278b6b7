"""A cached table is printed as long as nothing changed, and not a moment longer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.cli.options.groups import SuiteRef
from bench.cli.options.reports import TableOptions
from bench.metrics.names import METRICS
from bench.records.record import put
from bench.records.results import Results
from bench.report.tables import cache
from bench.report.tables.cache import TableCache
from bench.util.durable import Damaged, seal
from tests.records.test_record import record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the results of a suite with five records, with tables cached from five on."""
    monkeypatch.setattr(cache, "FEWEST", 5)
    results = Results(tmp_path, "s")
    cells = []
    for seed in range(5):
        one = record(key=f"{seed:032}", seed=seed, metrics=dict.fromkeys(METRICS, seed / 10))
        results.put(one)
        cells.append([one.key, "d", "m", seed, False, False])
    body = {"suite": "s", "title": "", "metrics": ["acc"], "noise": "drop", "level": 0.95, "tables": []}
    (results.folder / "plan.json").write_bytes(seal({**body, "cells": cells}))
    return results.folder


def printed(folder: Path, capsys: pytest.CaptureFixture[str], *, pairs: bool = False) -> str:
    from bench.cli.commands.table import show_table

    suite = SuiteRef(name=folder.name)
    show_table(TableOptions(suite=suite, results=folder.parent, format="csv", pairs=pairs))
    return capsys.readouterr().out


def test_what_was_cached_is_printed_again_until_a_record_changes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = printed(folder, capsys)
    assert "0.2," in first
    (file,) = (folder / "kept").iterdir()
    TableCache(folder, ["", "csv", "False"]).write("from the cache\n")
    assert printed(folder, capsys) == "from the cache\n"
    assert printed(folder, capsys, pairs=True) != "from the cache\n"
    put(folder / "records", record(key=f"{0:032}", seed=0, metrics=dict.fromkeys(METRICS, 0.9)))
    assert "0.38," in printed(folder, capsys)
    assert file.exists()


def test_a_record_that_was_damaged_or_removed_since_is_noticed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = printed(folder, capsys)
    path = folder / "records" / f"{3:032}.json"
    whole, times = path.read_bytes(), path.stat()
    path.write_bytes(whole.replace(b"0.3", b"0.4", 1))  # same size, and the same time of change:
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(Damaged):
        printed(folder, capsys)
    path.unlink()
    assert "4 of 5 seeds: 1 missing" in printed(folder, capsys)
    path.write_bytes(whole)
    assert printed(folder, capsys) == first


def test_a_damaged_cached_table_or_a_new_plan_does_not_count(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = printed(folder, capsys)
    (file,) = (folder / "kept").iterdir()
    file.write_bytes(file.read_bytes().replace(b"0.2", b"0.7", 1))
    assert printed(folder, capsys) == first
    plan = folder / "plan.json"
    plan.write_bytes(plan.read_bytes().replace(b'"drop"', b'"dorp"'))
    with pytest.raises(Damaged):
        printed(folder, capsys)


def test_few_records_are_not_kept_and_a_folder_without_leave_to_write_does_no_harm(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "FEWEST", 6)
    first = printed(folder, capsys)
    assert not (folder / "kept").exists()
    monkeypatch.setattr(cache, "FEWEST", 5)
    (folder / "kept").write_text("a file where the folder would be")
    assert printed(folder, capsys) == first
