from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.neighbors import KNeighborsClassifier

from bench.errors import DataError
from tests.methods import adapter, make_run, prepared

PIXELS = np.random.default_rng(0).integers(0, 256, (80, 1, 4, 4)).astype(np.uint8)
LABELS = (PIXELS.reshape(80, -1)[:, :3].argmax(axis=1)).astype(np.int64)
CLASSES = ("a", "b", "c")


def fitted(folder: Path, n: int = 60, **params):
    probe, run = (
        adapter("classifiers", "knn_probe", encoder=adapter("encoders", "pixels"), **params),
        make_run(),
    )
    probe.fit(prepared(PIXELS[:n], classes=CLASSES, labels=LABELS[:n]), folder, run)
    return probe, run


def features():
    return adapter("encoders", "pixels").encode(prepared(PIXELS), None, make_run()).astype(np.float64)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 5, 60])
def test_uniform_votes_are_scikit_learns(tmp_path: Path, metric: str, k: int) -> None:
    probe, run = fitted(tmp_path, k=k, metric=metric, votes="uniform")
    oracle = KNeighborsClassifier(k, metric=metric).fit(features()[:60], LABELS[:60])
    p = probe.predict(prepared(PIXELS[60:], classes=CLASSES), tmp_path, run)
    np.testing.assert_allclose(p, oracle.predict_proba(features()[60:]), atol=1e-6)
    assert run.facts["neighbours"] == k


@pytest.mark.parametrize("temperature", [0.001, 0.07, 10])
def test_weighted_votes_are_those_of_dino_written_out(tmp_path: Path, temperature: float) -> None:
    probe, run = fitted(tmp_path, k=7, temperature=temperature)
    x = features() / np.linalg.norm(features(), axis=1, keepdims=True)
    wanted = np.zeros((20, 3))
    for i in range(20):
        similarity = x[:60] @ x[60 + i]
        for j in np.argsort(-similarity)[:7]:
            wanted[i, LABELS[j]] += np.exp((similarity[j] - similarity.max()) / temperature)
    p = probe.predict(prepared(PIXELS[60:], classes=CLASSES), tmp_path, run)
    np.testing.assert_allclose(p, wanted / wanted.sum(axis=1, keepdims=True), atol=1e-6)


def test_more_neighbours_than_images_and_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe, run = fitted(tmp_path, n=6, k=20)
    assert run.facts["neighbours"] == 6
    whole = probe.predict(prepared(PIXELS, classes=CLASSES), tmp_path, run)
    monkeypatch.setattr("bench.methods.classifiers.knn_probe._BLOCK", 1)
    np.testing.assert_allclose(
        probe.predict(prepared(PIXELS, classes=CLASSES), tmp_path, run), whole, atol=1e-6
    )


def test_of_equally_near_images_the_first_vote(tmp_path: Path) -> None:
    same = np.repeat(PIXELS[:1], 6, axis=0)
    probe = adapter("classifiers", "knn_probe", encoder=adapter("encoders", "pixels"), k=2)
    probe.fit(prepared(same, classes=("a", "b"), labels=np.array([1, 1, 0, 0, 0, 0])), tmp_path, make_run())
    p = probe.predict(prepared(same[:1], classes=("a", "b")), tmp_path, make_run())
    np.testing.assert_allclose(p, [[0, 1]])


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    for wrong in (
        {"metric": "euclidean", "votes": "temperature"},
        {"k": 0},
        {"temperature": 0},
        {"metric": "x"},
    ):
        with pytest.raises(ValidationError):
            adapter("classifiers", "knn_probe", encoder=adapter("encoders", "pixels"), **wrong)
    with pytest.raises(ValidationError, match="encoder"):
        adapter("classifiers", "knn_probe")
    probe = adapter("classifiers", "knn_probe", encoder=adapter("encoders", "pixels"))
    with pytest.raises(DataError, match="at least 2 classes"):
        probe.fit(prepared(PIXELS, classes=CLASSES, labels=0 * LABELS), tmp_path, make_run())
