from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import DataError
from bench.nn import training
from tests.methods import adapter, blobs, make_run, same_partition, to_cluster

SHORT: dict[str, Any] = {"steps": 300, "update": 20, "n_init": 3}


def labels(folder: Path, features: np.ndarray, seed: int = 0, n_classes: int | None = None, **changes):
    folder.mkdir(exist_ok=True)
    run = make_run(seed, checkpoints=folder)
    clusterer = adapter("clusterers", "dec", **{**SHORT, **changes})
    return clusterer.cluster(to_cluster(features, n_classes), run), run.facts


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"reconstruction_weight": 0.0}, {"optimizer": "sgd", "dims": 3}])
def test_separate_clusters_are_found_and_it_converges(tmp_path: Path, changes) -> None:
    x, truth = blobs((30, 50, 20), 12)
    found, facts = labels(tmp_path, x, n_classes=3, **changes)
    assert found.dtype == np.int64
    assert same_partition(found, truth)
    assert facts["converged"] is True
    assert set(facts["curve"]) == {"loss", "changed", "clusters_used"}


@pytest.mark.slow
def test_refinement_moves_labels_where_clusters_overlap(tmp_path: Path) -> None:
    x, _ = blobs((60, 60, 60), 12, distance=3)
    before, _ = labels(tmp_path / "a", x, k=3, steps=1)
    after, _ = labels(tmp_path / "b", x, k=3, steps=600, kl_weight=1.0, reconstruction_weight=0.0, rate=0.01)
    assert not same_partition(before, after)
    assert np.unique(after).size > 1


@pytest.mark.slow
def test_the_seed_decides(tmp_path: Path) -> None:
    x, _ = blobs((60, 60, 60), 12, distance=2)
    (a, one), (b, two), (_, three) = (
        labels(tmp_path / str(i), x, s, k=5, n_init=1) for i, s in enumerate((0, 0, 1))
    )
    np.testing.assert_array_equal(a, b)
    assert one["curve"] == two["curve"] != three["curve"]


@pytest.mark.parametrize(
    ("n", "d", "k"), [(1, 3, 5), (2, 1, 2), (5, 40, 4), (12, 2, 1)], ids=["one", "two", "wide", "k-1"]
)
def test_few_images_and_few_features(tmp_path: Path, n, d, k) -> None:
    x = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    found, _ = labels(tmp_path, x, k=k, steps=20)
    assert found.shape == (n,)
    assert 0 <= found.min() <= found.max() < k


@pytest.mark.filterwarnings("ignore:.*distinct clusters.*")
def test_images_that_are_all_alike_are_one_cluster(tmp_path: Path) -> None:
    found, _ = labels(tmp_path, np.full((20, 4), 0.1, np.float32), k=3, steps=20)
    assert np.unique(found).size == 1


def test_what_cannot_work_is_said_in_one_sentence(tmp_path: Path) -> None:
    x = np.ones((5, 3), np.float32)
    with pytest.raises(DataError, match="k: classes needs labelled images"):
        labels(tmp_path, x)
    x[2, 1] = np.nan
    with pytest.raises(DataError, match="features contain NaN or infinity"):
        labels(tmp_path, x, k=2)


class Stopped(BaseException):
    """As if the process ended here."""


@pytest.mark.slow
def test_a_refinement_that_stopped_goes_on_to_the_very_same_labels(tmp_path: Path, monkeypatch) -> None:
    original = training.Steps
    monkeypatch.setattr(training, "Steps", partial(original, checkpoint_s=0.0))
    x, _ = blobs((60, 60, 60), 12, distance=2)
    options: dict[str, Any] = {**SHORT, "k": 4, "kl_weight": 1.0, "rate": 0.01, "tolerance": 0.0}
    whole, facts = labels(tmp_path / "whole", x, **options)

    def stop(done: int, _total: int | None, _text: str) -> None:
        if done == 150:
            raise Stopped

    (tmp_path / "stopped").mkdir()
    run = make_run(checkpoints=tmp_path / "stopped")
    clusterer = adapter("clusterers", "dec", **options)
    with pytest.raises(Stopped):
        clusterer.cluster(to_cluster(x), replace(run, report=stop))
    assert list((tmp_path / "stopped").iterdir())
    np.testing.assert_array_equal(clusterer.cluster(to_cluster(x), run), whole)
    assert run.facts["curve"] == facts["curve"]
