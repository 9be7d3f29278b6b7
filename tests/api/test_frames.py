"""`records` and `images`: the numbers and arrays of the store, as data frames."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cutjoin
from bench.records.results import Results
from bench.records.store import Store
from bench.stages.finished import FinishedCell
from cutjoin import DataError, FinishedRun, UsageError
from tests.conftest import Finished


def row_of(frame: pd.DataFrame, method: str, dataset: str = "plankton") -> pd.Series:
    return frame[(frame["method"] == method) & (frame["dataset"] == dataset)].iloc[0]


def opened(run: FinishedRun, row: pd.Series) -> FinishedCell:
    results = Results(run.folder.parent, run.suite)
    record = results.get(row["key"])
    assert record is not None
    return FinishedCell(record, Store(run.store), results.read_plan().files)


class TestRecords:
    def test_a_row_per_planned_cell_in_the_suites_order(self, finished: Finished) -> None:
        frame = cutjoin.records(finished.results / "tiny")
        plan = Results(finished.results, "tiny").read_plan()
        assert list(frame["key"]) == [c.key for c in plan.cells]
        assert list(frame.columns[:8]) == [
            "suite", "dataset", "method", "seed", "status", "error", "trivial", "synthetic",
        ]  # fmt: skip
        assert list(frame.columns[-2:]) == ["key", "results"]
        assert set(frame["suite"]) == {"tiny"}
        assert frame["synthetic"].all()

    def test_numbers_are_those_of_the_records(self, finished: Finished) -> None:
        frame = cutjoin.records(finished.results / "tiny")
        for _, row in frame.iterrows():
            record = Results(finished.results, "tiny").get(row["key"])
            assert record is not None
            for name, value in record.metrics.items():
                assert row[name] == value
                assert (row[f"{name}_low"], row[f"{name}_high"]) == record.intervals[name]
            assert (row["images"], row["clusters"], row["seconds"]) == (60, record.clusters, record.wall_s)
        assert frame["host_gib"].between(0.01, 64).all()

    def test_parameters_are_columns(self, real: FinishedRun) -> None:
        frame = real.records()
        noisy, probe, kmeans = (row_of(frame, m) for m in ("noisy", "probe", "k-means <b>&"))
        assert (noisy["encoder"], noisy["clusterer"], noisy["reducer"]) == ("polar_fft", "hdbscan", "pca")
        assert (probe["classifier"], probe["classifier.encoder"]) == ("linear_probe", "pixels")
        assert kmeans["clusterer.k"] == 3
        assert (kmeans["dataset.use"], kmeans["dataset.size"]) == ("kaggle_plankton", 24)
        assert np.isfinite(kmeans["clusters.silhouette"])

    def test_failed_cells_are_there_with_their_error(self, real: FinishedRun) -> None:
        broken = row_of(real.records(), "broken")
        assert (broken["status"], broken["error"]) == ("error", "<script>no & nothing</script>")
        assert np.isnan(broken["acc"])
        assert real.failed == 1

    def test_cells_that_have_not_run(self, own_run: Finished) -> None:
        gone = own_run.records[0]
        gone.unlink()
        frame = cutjoin.records(own_run.results / "tiny").set_index("key")
        assert list(frame["status"]).count("missing") == 1
        assert frame.loc[gone.stem, "status"] == "missing"
        assert frame.loc[gone.stem, "ami":"ami_high"].isna().all()

    def test_several_suites_in_one_folder(self, own_run: Finished) -> None:
        shutil.copytree(own_run.results / "tiny", own_run.results / "again")
        frame = cutjoin.records(own_run.results)
        assert list(frame["suite"].unique()) == ["again", "tiny"]
        assert len(frame) == 2 * len(cutjoin.records(own_run.results / "tiny"))
        assert len(cutjoin.images(frame.iloc[-1], store=own_run.store)) == 60

    def test_by_the_name_of_a_suite(self, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BENCH_RESULTS", str(finished.results))
        by_name = cutjoin.records("tiny")
        pd.testing.assert_frame_equal(by_name, cutjoin.records(finished.results / "tiny"))
        pd.testing.assert_frame_equal(by_name, cutjoin.records(cutjoin.load_suite(finished.suite)))

    def test_nothing_has_run_there(self, finished: Finished, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no results of"):
            cutjoin.records(tmp_path)

    def test_a_damaged_record_is_no_number(self, own_run: Finished) -> None:
        text = own_run.records[0].read_text()
        own_run.records[0].write_text(text.replace('"seed":0', '"seed":5').replace('"seed": 0', '"seed": 5'))
        assert own_run.records[0].read_text() != text
        with pytest.raises(cutjoin.CutjoinError, match=own_run.records[0].stem[:8]):
            cutjoin.records(own_run.results / "tiny")


class TestImages:
    @pytest.mark.parametrize("method", ["k-means <b>&", "noisy", "probe", "random sizes"])
    def test_labels_and_clusters_are_those_of_the_store(self, real: FinishedRun, method: str) -> None:
        row = row_of(real.records(), method)
        found, cell = real.images(row), opened(real, row)
        assert list(found["id"]) == list(cell.images.ids)
        assert found["cluster"].tolist() == cell.clusters.tolist()
        assert found["label"].tolist() == [cell.classes[i] for i in cell.truth]
        assert len(found) == 12  # 60 % of 20

    def test_a_path_is_the_file_of_its_image(self, real: FinishedRun) -> None:
        row = row_of(real.records(), "k-means <b>&")
        found = real.images(row)
        for number, path, label in zip(found["id"], found["path"], found["label"], strict=True):
            assert Path(path).is_file()
            assert (Path(path).stem, Path(path).parent.name) == (number, label)
        assert found["path"].is_unique
        assert real.images(row, paths=False)["path"].isna().all()

    def test_features(self, real: FinishedRun) -> None:
        row = row_of(real.records(), "noisy")
        cell = opened(real, row)
        whole, reduced = real.images(row, features=True), real.images(row, features="reduced")
        for found, array in ((whole, cell.features), (reduced, cell.reduced)):
            assert array is not None
            columns = [f"f{i}" for i in range(array.shape[1])]
            np.testing.assert_array_equal(found[columns].to_numpy(), array)
        with pytest.raises(UsageError, match="no reduced features"):
            real.images(row_of(real.records(), "k-means <b>&"), features="reduced")
        with pytest.raises(UsageError, match="no features"):
            real.images(row_of(real.records(), "all in one"), features=True)

    def test_a_classifier_names_the_class(self, real: FinishedRun) -> None:
        row = row_of(real.records(), "probe")
        found, cell = real.images(row), opened(real, row)
        assert list(found.columns[:5]) == ["id", "path", "label", "cluster", "predicted"]
        assert found["predicted"].tolist() == [cell.classes[i] for i in cell.clusters]
        assert (found["predicted"] == found["label"]).mean() == row["accuracy"]
        assert "predicted" not in real.images(row_of(real.records(), "noisy"))

    def test_unlabelled_data(self, real: FinishedRun) -> None:
        found = real.images(row_of(real.records(), "k-means <b>&", "unlabelled"))
        assert found["label"].isna().all()
        assert sorted(found["cluster"].unique()) == [0, 1, 2]
        assert all(Path(p).name == i for p, i in zip(found["path"], found["id"], strict=True))

    def test_generated_images_lie_in_the_store(self, finished: Finished) -> None:
        frame = cutjoin.records(finished.results / "tiny")
        found = cutjoin.images(frame.iloc[0], store=finished.store)
        assert all(finished.store in Path(p).parents and Path(p).is_file() for p in found["path"])

    def test_a_relative_store_gives_paths_too(
        self, finished: Finished, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(finished.store.parent)
        frame = cutjoin.records(Path("results") / "tiny")
        assert cutjoin.images(frame.iloc[0], store="store")["path"].notna().all()
        assert Path(frame["results"].iloc[0]).is_absolute()

    def test_by_the_key_or_its_beginning(self, real: FinishedRun) -> None:
        row = row_of(real.records(), "noisy")
        expected = real.images(row)
        for key in (row["key"], row["key"][:10], row["key"][:10].upper()):
            pd.testing.assert_frame_equal(cutjoin.images(key, real), expected)
        with pytest.raises(UsageError, match="name its suite"):
            cutjoin.images(row["key"])
        for key in ("", "zz"):
            with pytest.raises(UsageError, match="cells of real match this key"):
                cutjoin.images(key, real)

    def test_a_row_as_a_dict(self, real: FinishedRun) -> None:
        row = row_of(real.records(), "noisy")
        pd.testing.assert_frame_equal(real.images(row.to_dict()), real.images(row))

    def test_cells_without_clusters(self, real: FinishedRun, own_run: Finished) -> None:
        with pytest.raises(UsageError, match="has no clusters: error, <script>no"):
            real.images(row_of(real.records(), "broken"))
        own_run.records[0].unlink()
        frame = cutjoin.records(own_run.results / "tiny")
        with pytest.raises(UsageError, match="has not run"):
            cutjoin.images(frame[frame["status"] == "missing"].iloc[0])
        with pytest.raises(UsageError, match="must be a row of `records`"):
            cutjoin.images(real.leaderboard().to_frame().iloc[0])

    def test_artefacts_that_are_gone(self, own_run: Finished) -> None:
        shutil.rmtree(own_run.store / "artefacts")
        frame = cutjoin.records(own_run.results / "tiny")
        with pytest.raises(DataError, match=r"no longer in the store.*bench run"):
            cutjoin.images(frame.iloc[0], store=own_run.store)

    def test_data_that_is_gone(self, few_images: Path, tmp_path: Path) -> None:
        suite = {
            "seeds": [0],
            "baselines": False,
            "bootstrap": {"replicates": 0},
            "datasets": [{"name": "plankton", "use": "kaggle_plankton", "size": 16}],
            "methods": [{"encoder": "pixels", "clusterer": {"use": "kmeans", "k": 2}}],
        }
        loaded = cutjoin.load_suite(suite, data=few_images)
        done = cutjoin.run(loaded, store=tmp_path / "s", results=tmp_path / "r", progress=False)
        row = done.records().iloc[0]
        assert done.images(row)["path"].notna().all()
        shutil.rmtree(few_images)
        found = done.images(row)
        assert found["path"].isna().all()
        assert found["label"].nunique() == 2


OWN = """\
"Has parameters that are named like parts of a suite."
from cutjoin import Encoder
class Own(Encoder):
    "Constant."
    dataset: str = "mine"
    metrics: int = 3
    def encode(self, images, weights, run):
        import numpy as np
        return np.eye(len(images), 2, dtype=np.float32)
"""


@pytest.mark.slow
def test_columns_have_the_names_of_parameters_and_texts_that_are_no_utf_8_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    suite: dict[str, Any] = {
        "seeds": [0],
        "baselines": False,
        "bootstrap": {"replicates": 0},
        "datasets": [
            {"name": "made", "use": "kaggle_plankton", "size": 16, "synthetic": {"images": 20}},
            {"name": "gone", "use": "kaggle_plankton", "root": str(tmp_path / "no\udcff")},
        ],
        "methods": [
            {"name": "m", "encoder": str(tmp_path / "own.py"), "clusterer": {"use": "kmeans", "k": 2}}
        ],
    }
    finished = cutjoin.run(suite, progress=False, store=tmp_path / "store", results=tmp_path / "results")
    frame = finished.records().set_index("dataset")
    assert frame.loc["made", "encoder.dataset"] == "mine"
    assert frame.loc["made", "encoder.metrics"] == 3
    assert frame.loc["made", "dataset.use"] == "kaggle_plankton"
    assert not [name for name in frame.columns if name.startswith("metrics.")]
    assert frame.loc["gone", "status"] == "blocked"
    assert r"no\xff" in str(frame.loc["gone", "error"])
