"""Stores and results that version 0.1 wrote are continued: no stage runs again, and no record changes.

`continued/NAME.tar.xz` holds both folders of `bench run NAME --profile smoke`, made by version 0.1. The
weights of one method of the twins are left out for their size; its cell is never asked to be made anew.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.records.record import read
from tests.conftest import bench, snapshot

ARCHIVES = sorted(Path(__file__).parent.glob("continued/*.tar.xz"))
NO_WEIGHTS = "TNIa"


@pytest.fixture(params=ARCHIVES, ids=lambda p: p.name.removesuffix(".tar.xz"))
def suite(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Unpack one archive into `tmp_path` and return the name of its suite."""
    shutil.unpack_archive(request.param, tmp_path)
    return str(request.param.name.removesuffix(".tar.xz"))


def test_there_are_both_kinds_of_methods():
    assert [p.name for p in ARCHIVES] == ["quickstart.tar.xz", "twins-on-plankton.tar.xz"]


def test_finished_results_are_left_alone(suite: str, tmp_path: Path):
    store, records = tmp_path / "store" / "artefacts", tmp_path / "results" / f"{suite}-smoke" / "records"
    before = snapshot(store, records)
    done = _continue(suite, tmp_path)
    assert done["exit_code"] == 0
    assert snapshot(store, records) == before


def test_lost_records_are_made_again_from_the_store_alone(suite: str, tmp_path: Path):
    store, records = tmp_path / "store" / "artefacts", tmp_path / "results" / f"{suite}-smoke" / "records"
    before, artefacts = {}, set(store.glob("??/*"))
    for path in records.glob("*.json"):
        record = read(path)
        if record.method != NO_WEIGHTS:
            before[path] = record
            path.unlink()
    assert _continue(suite, tmp_path)["exit_code"] == 0
    assert set(store.glob("??/*")) == artefacts
    for path, record in before.items():
        # where and when each stage ran is told too: a stage that ran again would say another time
        assert read(path).model_dump(exclude={"place"}) == record.model_dump(exclude={"place"})


def _continue(suite: str, folder: Path) -> dict[str, object]:
    """Run the suite in the folders of the archive and return what `--json` says."""
    store, results = folder / "store", folder / "results"
    done = bench("run", suite, "--profile", "smoke", "--json", store=store, results=results)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
