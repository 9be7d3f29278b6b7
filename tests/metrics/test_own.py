"""A metric of a user's own, from a file, through a whole run."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import fowlkes_mallows_score

from bench.records.results import Results
from tests.conftest import TINY, Finished, bench, write_suite

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "fmi.py"
SMALL = TINY.replace("[pixels, polar_fft]", "[pixels]").replace("[kmeans, ward]", "[kmeans]")
OWN = SMALL.replace("[nmi, vi]", "[./fmi.py, vi]") + "metrics: [acc, ./fmi.py]\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Run a tiny suite with the example of the docs."""
    folder = tmp_path_factory.mktemp("own")
    suite = write_suite(folder, OWN, "tiny.yaml")
    shutil.copy(EXAMPLE, folder)
    run = Finished(suite, folder / "store", folder / "results")
    done = run.bench("run", str(suite), "--jobs", "1")
    assert done.returncode == 0, done.stderr + done.stdout
    return run


def test_it_is_scored_with_intervals_in_every_record(own: Finished) -> None:
    for path in own.records:
        record = Results(own.results, "tiny").get(path.stem)
        assert record is not None
        assert list(record.metrics)[-1] == "fmi"
        low, high = record.intervals["fmi"]
        assert low <= record.metrics["fmi"] <= high
        assert record.trivial or low < high
        (described,) = record.params["metrics"]["extra"]
        assert described["identity"].startswith("file:")
        assert "use" not in described
        assert str(own.suite.parent) not in path.read_text()


def test_it_agrees_with_scikit_learn(own: Finished) -> None:
    from bench.imaging.prepare import load
    from bench.records.store import Store

    store = Store(own.store)
    for path in own.records:
        record = Results(own.results, "tiny").get(path.stem)
        assert record is not None
        keys = {s.stage: s.key for s in record.stages}
        images, labels = store.open(keys["prepare"]), store.open(keys["cluster"])
        assert images is not None
        assert labels is not None
        truth = load(images.folder, None, labels=True).labels
        expected = fowlkes_mallows_score(truth, np.load(labels.folder / "labels.npy"))
        assert record.metrics["fmi"] == pytest.approx(expected, abs=1e-12)


def test_it_has_a_column_in_all_formats_and_ranks(own: Finished) -> None:
    text = (own.results / "tiny" / "leaderboard.md").read_text()
    assert "ACC FMI clusters" in " ".join(text.replace("|", " ").split())
    rows = list(csv.DictReader((own.results / "tiny" / "leaderboard.csv").read_text().splitlines()))
    assert all(0 <= float(row["fmi"]) <= 1 for row in rows)
    board = json.loads(own.bench("table", str(own.suite), "--format", "json").stdout)
    assert board["boards"][0]["metrics"] == ["acc", "fmi"]
    shown = own.bench("table", str(own.suite), "--table", "short", "--format", "csv").stdout
    assert "fmi,fmi_low,fmi_high,fmi_seeds,fmi_mark,vi," in shown


def test_it_is_described(own: Finished) -> None:
    shown = own.bench("describe", "metric", str(own.suite.parent / "fmi.py")).stdout
    assert shown.startswith("metric fmi (FMI), 0 to 1, higher is better")
    assert "Fowlkes and Mallows 1983" in shown
    about = json.loads(own.bench("describe", "metric", str(EXAMPLE), "--json").stdout)
    assert about["name"] == "fmi"


def test_a_second_run_finds_everything_though_the_file_lies_elsewhere(own: Finished, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    again = write_suite(tmp_path, OWN, "tiny.yaml")
    done = bench("run", str(again), store=own.store, results=tmp_path / "results")
    assert done.returncode == 0
    found = {path.name for path in (tmp_path / "results" / "tiny" / "records").iterdir()}
    assert found == {path.name for path in own.records}


def test_reports_show_the_column_without_the_file(own: Finished, tmp_path: Path) -> None:
    shutil.copytree(own.results / "tiny", tmp_path / "results" / "gone")
    text = bench("table", "gone", store=own.store, results=tmp_path / "results").stdout
    assert "FMI" in text
    key = own.records[0].stem
    assert "FMI" in bench("show", key, store=own.store, results=tmp_path / "results").stdout
    done = bench(
        "site", "gone", "--out", str(tmp_path / "site"), store=own.store, results=tmp_path / "results"
    )
    assert done.returncode == 0, done.stderr
    assert "Fowlkes and Mallows" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise ZeroDivisionError('nothing to divide')", "failed: ZeroDivisionError: nothing to divide"),
        ("return np.full(len(tables.counts), np.nan)", "returned nan"),
        ("return np.full(len(tables.counts), 1.5)", "returned 1.5, outside its range, 0 to 1"),
        ("return np.zeros(3)", "of shape (3,), not numbers of shape (1,)"),
    ],
)
def test_what_it_does_wrong_ends_its_cells_with_one_sentence(
    own: Finished, tmp_path: Path, body: str, expected: str
) -> None:
    text = EXAMPLE.read_text().partition("    c = tables.pairs")
    tail = text[2].partition("\n\n\nFMI")
    (tmp_path / "fmi.py").write_text(f"{text[0]}    {body}\n\n\nFMI{tail[2]}")
    suite = write_suite(tmp_path, OWN.replace("seeds: [0, 1]", "seeds: [0]"), "wrong.yaml")
    results = tmp_path / "results"
    done = bench("run", str(suite), "--jobs", "1", store=own.store, results=results)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    for path in (results / "wrong" / "records").glob("*.json"):
        record = Results(results, "wrong").get(path.stem)
        assert record is not None
        assert record.status == "error"
        assert record.error is not None
        assert f"metric 'fmi' ({tmp_path / 'fmi.py'}) " in record.error
        assert expected in record.error
        assert not record.metrics


def test_another_version_of_the_shipped_metrics_leaves_it_alone(own: Finished) -> None:
    from bench.metrics.names import VERSION
    from bench.records.store import Store
    from bench.stages.rescore import rescored

    record = Results(own.results, "tiny").get(own.records[0].stem)
    assert record is not None
    old = record.metrics | {"acc": 0.123}
    aged = record.model_copy(update={"metrics": old, "metrics_version": VERSION - 1})
    assert rescored(aged, Store(own.store)) == record


def test_a_file_that_changes_during_the_run_is_not_used(own: Finished, tmp_path: Path) -> None:
    from bench.errors import DataError
    from bench.records.store import Store
    from bench.stages.run import score_again

    record = Results(own.results, "tiny").get(own.records[0].stem)
    assert record is not None
    keys = {s.stage: s.key for s in record.stages}
    inputs = {"images": keys["prepare"], "labels": keys["cluster"]}
    (described,) = record.params["metrics"]["extra"]
    (tmp_path / "fmi.py").write_text(EXAMPLE.read_text())
    planned = {**described, "use": str(tmp_path / "fmi.py")}
    params = {**record.params["metrics"], "extra": [planned]}
    assert score_again(inputs, params, Store(own.store)).scores["fmi"] == record.metrics["fmi"]
    (tmp_path / "fmi.py").write_text(EXAMPLE.read_text() + "# changed\n")
    with pytest.raises(DataError, match=r"fmi\.py changed during the run; run the command again"):
        score_again(inputs, params, Store(own.store))
    (tmp_path / "fmi.py").unlink()
    with pytest.raises(DataError, match="there is no file"):
        score_again(inputs, params, Store(own.store))
