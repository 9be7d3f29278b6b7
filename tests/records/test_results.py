"""The results folder: damaged records are quarantined, missing ones show."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import make_plan
from bench.records.results import Results
from bench.suite.suitefile import load
from bench.util.durable import Damaged, seal, unseal
from tests.conftest import Finished, write_suite
from tests.records.test_record import record


def test_a_written_plan_reads_back(tmp_path: Path):
    plan = make_plan(load(write_suite(tmp_path)), Fingerprints(tmp_path / "db"))
    results = Results(tmp_path / "results", "suite")
    with pytest.raises(FileNotFoundError):
        results.read_plan()
    results.write_plan(plan.on_disk())
    read = results.read_plan()
    assert (read.suite, read.title, read.noise, read.level) == ("suite", "Tiny", "own_cluster", 0.95)
    assert [(c.key, c.dataset, c.method, c.seed, c.trivial) for c in read.cells] == [
        (c.key, c.dataset, c.method, c.seed, c.trivial) for c in plan.cells
    ]
    assert all(c.synthetic for c in read.cells)
    assert read.tables[0]["columns"] == ["nmi", "vi"]


def test_a_damaged_or_foreign_plan_is_damaged(own_run: Finished):
    results = Results(own_run.results, "tiny")
    path = results.folder / "plan.json"
    body = unseal(path.read_bytes(), "")
    for data in (path.read_bytes()[:-2], seal({**body, "new": 1}), seal({**body, "cells": [[1]]}), seal({})):
        path.write_bytes(data)
        with pytest.raises(Damaged):
            results.read_plan()


def test_a_damaged_record_raises_or_is_quarantined(tmp_path: Path):
    results = Results(tmp_path, "s")
    path = results.put(record())
    assert results.get(record().key) == record()
    assert results.get("cd" * 16) is None
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged):
        results.get(record().key)
    assert path.exists()
    assert results.get(record().key, quarantine=True) is None
    assert not path.exists()
    assert len(list((results.folder / "quarantine").iterdir())) == 1
    assert results.keys() == []


def test_logs(tmp_path: Path):
    results = Results(tmp_path, "s")
    name = results.log("key", b"\xff printed")
    assert (results.folder / name).read_bytes() == b"\xff printed"


def test_keys_are_those_of_complete_records(tmp_path: Path):
    results = Results(tmp_path, "s")
    assert results.keys() == []
    results.put(record())
    (results.records / ".x.json.abc.tmp").write_bytes(b"half")
    assert results.keys() == [record().key]


def test_a_plan_removes_what_killed_runs_left_and_nothing_else(tmp_path: Path):
    plan = make_plan(load(write_suite(tmp_path)), Fingerprints(tmp_path / "db")).on_disk()
    results = Results(tmp_path, "s")
    results.records.mkdir(parents=True)
    now = time.time()
    ages = {".a.json.0123456789ab.tmp": 4000, ".b.json.0123456789ab.tmp": 600, ".notes.tmp": 9e6}
    ages[".c.json.0123456789ab.tmp"] = -9e6  # by a clock that was wrong: old from now on
    for name, age in ages.items():
        (results.records / name).write_bytes(b"half")
        os.utime(results.records / name, (now - age, now - age))
    results.write_plan(plan)
    left = {p.name: p.stat().st_mtime for p in results.records.iterdir()}
    assert sorted(left) == [".b.json.0123456789ab.tmp", ".c.json.0123456789ab.tmp", ".notes.tmp"]
    assert abs(left[".c.json.0123456789ab.tmp"] - now) < 60
