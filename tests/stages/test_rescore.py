"""Records of older metric versions are rescored from the stored labels, or left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.metrics.names import VERSION
from bench.records.record import read
from bench.records.results import Results
from bench.records.store import Store
from bench.stages.rescore import rescored, up_to_date
from bench.util.durable import seal
from tests.conftest import Finished
from tests.execute.runs import Bench
from tests.report.figures.runs import finished as finished_run


def age(run: Finished, count: int) -> None:
    """Make some records look as if scored by an older version that defined ACC and NMI differently."""
    for path in run.records[:count]:
        body = read(path).model_dump(mode="json")
        body["metrics"] |= {"acc": 0.123, "nmi": 0.321}
        path.write_bytes(seal({**body, "metrics_version": VERSION - 1}))


def test_rescoring_gives_the_same_record(finished: Finished) -> None:
    for path in finished.records:
        one = read(path)
        aged = one.model_copy(
            update={"metrics": {"acc": 0.1}, "intervals": {}, "metrics_version": VERSION - 1}
        )
        assert rescored(aged, Store(finished.store)) == one


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return finished_run(tmp_path_factory)


def test_a_pair_models_parts_are_rescored_too(drawn: Bench) -> None:
    record = drawn.records("drawn")["twin", 0]
    assert "pairs" in record.parts
    aged = record.model_copy(update={"parts": {"pairs": {"f1_joins": 0.0}}, "metrics_version": VERSION - 1})
    assert rescored(aged, Store(drawn.root / "store")) == record


OTHER = """
title: What else is scored
seeds: [0]
baselines: false
label_free: true
bootstrap: {replicates: 20}
datasets:
  - name: plate
    use: cpjump1
    size: 16
    synthetic: {images: 60, side: 32, effect: 3}
    score: {fraction: 0.5}
methods:
  - {name: reduced, encoder: pixels, clusterer: {use: kmeans, k: 2, reduce: {use: pca, dims: 3}}}
  - {name: classified, classifier: {use: linear_probe, encoder: pixels}}
"""


def test_features_and_classes_are_rescored_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    done = bench.run("run", bench.suite(OTHER, "other"), "--quiet", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    parts = {}
    for record in bench.all_records("other"):
        aged = record.model_copy(
            update={"metrics": {"acc": 0.1}, "parts": {}, "metrics_version": VERSION - 1}
        )
        assert rescored(aged, Store(bench.root / "store")) == record
        parts[record.method] = set(record.parts)
    assert {"clusters reduced", "classes"} <= parts["reduced"]
    assert {"class control", "class perturbed"} <= parts["classified"]


def test_the_table_is_as_before_and_nothing_is_written(own_run: Finished) -> None:
    before = own_run.bench("table", "tiny", "-f", "csv").stdout
    age(own_run, 5)
    files = {p: p.read_bytes() for p in own_run.records}
    assert own_run.bench("table", "tiny", "-f", "csv").stdout == before
    assert {p: p.read_bytes() for p in own_run.records} == files


def test_without_the_labels_they_are_left_out_with_a_note(own_run: Finished) -> None:
    age(own_run, 5)
    shutil.rmtree(own_run.store / "artefacts")
    done = own_run.bench("table", "tiny", "--json")
    table = json.loads(done.stdout)
    assert table["outdated"] == 5
    assert "5 records scored with another version" in table["notes"]
    rows = table["boards"][0]["rows"]
    assert sum(r["statuses"].get("outdated", 0) for r in rows) == 5
    assert all(n["mean"] not in (0.123, 0.321) for r in rows for n in r["numbers"].values())
    markdown = own_run.bench("table", "tiny", "-f", "md").stdout
    assert "1 outdated" in markdown
    assert "5 records scored with another version" in markdown


def test_without_a_store_an_old_record_is_returned_unchanged(own_run: Finished) -> None:
    age(own_run, 1)
    one = up_to_date(Results(own_run.results, "tiny"), None)(own_run.records[0].stem)
    assert one is not None
    assert one.metrics_version == VERSION - 1
