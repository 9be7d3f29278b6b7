"""What earlier versions wrote is read by this one: a folder was written by the version it is named for.

A folder is never written again. A change of format adds one, and this program reads them all.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.records.record import SCHEMA, CellRecord, Newer, StageRecord, Status, read
from bench.records.results import Results
from bench.report.tables.leaderboard import build
from bench.suite import suitefile
from bench.util.durable import seal
from tests.conftest import bench

HERE = Path(__file__).parent
VERSIONS = sorted(p.name for p in HERE.glob("v*"))
RECORDS = sorted(HERE.glob("v*/results/golden/records/*.json"))
SUITES = sorted(HERE.glob("v*/suites/*.yaml"))


def name(path: Path) -> str:
    return f"{path.relative_to(HERE).parts[0]}-{path.stem[:12]}"


def test_the_current_schema_has_golden_files():
    assert f"v{SCHEMA}" in VERSIONS
    assert {read(p).status for p in HERE.glob(f"v{SCHEMA}/results/*/records/*.json")} == set(Status)


@pytest.mark.parametrize("path", RECORDS, ids=name)
def test_every_value_of_a_golden_record_is_read(path: Path):
    want = json.loads((path.parents[3] / "expected.json").read_text(encoding="utf-8"))[path.stem]
    assert said(read(path)) == want


def test_both_ways_of_sealing_are_among_them():
    sealed = [p.read_bytes().rsplit(b'"checksum": "', 1)[1] for p in RECORDS]
    assert 0 < sum(s.startswith(b"xxh3-128 of all before:") for s in sealed) < len(sealed)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("plan", ["plan.json", "plan.sealed-by-values.json"])
def test_golden_results_make_a_leaderboard(version: str, plan: str, tmp_path: Path):
    golden = HERE / version / "results" / "golden"
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "plan.json").write_bytes((golden / plan).read_bytes())
    (board,) = build(Results(tmp_path, "golden").read_plan(), Results(golden.parent, "golden").get).boards
    rows = {r.method: r for r in board.rows}
    assert len(rows) == 9
    assert (rows["pixels + kmeans"].scored, rows["crash one"].scored) == (2, 0)
    want = json.loads((HERE / version / "expected.json").read_text(encoding="utf-8"))
    scores = [c["metrics"]["acc"] for c in want.values() if c["method"] == "pixels + kmeans"]
    assert rows["pixels + kmeans"].numbers["acc"].mean == pytest.approx(sum(scores) / 2)


@pytest.mark.parametrize("path", SUITES, ids=name)
def test_golden_suites_load(path: Path):
    suite = suitefile.load(path)
    assert suite.datasets
    assert suite.methods
    assert len(suitefile.load(path, "smoke").methods) == len(suite.methods)


def test_a_record_of_a_newer_version_is_refused_with_a_sentence(tmp_path: Path):
    body = read(RECORDS[0]).model_dump(mode="json")
    path = tmp_path / "results" / "golden" / "records" / f"{body['key']}.json"
    path.parent.mkdir(parents=True)
    newer = seal({**body, "schema_version": SCHEMA + 1, "unheard_of": 1})
    path.write_bytes(newer)
    with pytest.raises(Newer, match=f"schema {SCHEMA + 1}.* up to {SCHEMA}.*update cutjoin"):
        read(path)
    with pytest.raises(Newer):
        Results(tmp_path / "results", "golden").get(body["key"], quarantine=True)
    assert path.read_bytes() == newer  # not taken for damaged, not set aside
    done = bench("show", body["key"], store=tmp_path / "store", results=tmp_path / "results")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bench: ")
    assert done.stderr.count("\n") == 1
    assert "update cutjoin" in done.stderr


def said(record: CellRecord) -> dict[str, Any]:
    """Return the values that tables, figures and readers use."""
    return {
        "method": record.method,
        "seed": record.seed,
        "status": str(record.status),
        "metrics": record.metrics,
        "intervals": {k: list(v) for k, v in record.intervals.items()},
        "parts": record.parts,
        "error": record.error,
        "stages": [_cost(s) for s in record.stages],
        "bad_images": record.bad_images,
        "commit": record.place.git_commit,
        "params": record.params,
    }


def _cost(s: StageRecord) -> list[Any]:
    return [s.stage, s.adapter, s.wall_s, s.host_peak_bytes, s.started, s.place.versions]
