"""Whatever a user's metric does wrong is one sentence that names it; never a wrong number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bench.errors import DataError
from bench.metrics.classification import ClassScoring
from bench.metrics.contingency import contingency
from bench.metrics.guarded import guarded
from bench.metrics.label_free import score_features
from bench.metrics.metric import Metric
from bench.metrics.names import Loaded
from bench.metrics.score import Scoring
from bench.metrics.subsets import score_subsets
from bench.metrics.tables import Tables

TRUTH, PRED = np.array([0, 0, 1, 1, 2]), np.array([0, 0, 1, 2, 2])


def own(measure: Any, **about: Any) -> Metric:
    metric = Metric("own", "Own", "Mine.", measure, **about)
    return guarded(Loaded(metric, "/x/own.py", "file:0@1"))


def fails(metric: Metric, argument: Any, text: str) -> None:
    with pytest.raises(DataError) as e:
        metric(argument)
    assert str(e.value).startswith("metric 'own' (/x/own.py) ")
    assert text in str(e.value)


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        (np.array([math.nan]), "returned nan for 1 of 1"),
        (np.array([math.inf]), "returned inf"),
        (np.array([1.1]), "returned 1.1, outside its range, 0 to 1"),
        (np.array([-0.1]), "returned -0.1, outside"),
        (np.zeros((1, 1)), "float64 of shape (1, 1), not numbers of shape (1,)"),
        (0.5, "float64 of shape (), not"),
        (np.array([True]), "bool of shape (1,), not numbers"),
        (None, "returned NoneType None"),
        ("much", "not numbers of shape (1,)"),
        ([[1], [1, 2]], "not numbers of shape (1,)"),
        (np.array([0.5 + 1j]), "complex128"),
    ],
)
def test_what_it_returns_is_checked(returned: Any, text: str) -> None:
    fails(own(lambda _: returned), Tables(contingency(TRUTH, PRED)), text)


def raising(error: BaseException) -> Any:
    def measure(_: Any) -> Any:
        raise error

    return measure


def test_what_it_raises_is_told_with_the_traceback_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    fails(own(raising(KeyError("k"))), Tables(contingency(TRUTH, PRED)), "failed: KeyError: 'k'")
    assert "Traceback" in capsys.readouterr().err
    fails(own(raising(SystemExit(3))), Tables(contingency(TRUTH, PRED)), "failed: SystemExit: 3")
    with pytest.raises(MemoryError):
        own(raising(MemoryError()))(None)


def test_rounding_beyond_the_range_is_clipped() -> None:
    assert own(lambda _: np.array([1 + 1e-15]))(Tables(contingency(TRUTH, PRED)))[0] == 1


def test_it_is_scored_with_an_interval_and_changes_no_other_number() -> None:
    metric = own(lambda t: t.counts.max(axis=1) / t.n)
    scored = Scoring(extra=[metric]).score(TRUTH, PRED)
    plain = Scoring().score(TRUTH, PRED)
    assert scored.values == plain.values | {"own": 0.4}
    low, high = scored.intervals.pop("own")
    assert low <= 0.4 <= high
    assert scored.intervals == plain.intervals


def test_it_cannot_change_what_others_are_computed_from() -> None:
    def spoil(tables: Tables) -> Any:
        tables.counts[:] = 0
        return np.zeros(1)

    with pytest.raises(DataError, match="failed: ValueError: assignment destination is read-only"):
        Scoring(extra=[own(spoil)]).score(TRUTH, PRED)


def test_pairs_are_scored_within_and_between_subsets() -> None:
    metric = own(lambda c: (c.join_join, c.join_join + c.join_cut + c.cut_join), takes="pairs")
    found = score_subsets(TRUTH, PRED, ["a", "a", "a", "b", "b"], noise="drop", extra=[metric])
    assert found["a-a"]["own"] == 1
    assert found["a-b"]["own"] == 0
    fails(own(lambda c: c.join_join, takes="pairs"), Tables(contingency(TRUTH, PRED)).pairs, "a numerator")
    twice = own(lambda c: (2 * c.join_join, c.join_join), takes="pairs")
    fails(twice, Tables(contingency(TRUTH, PRED)).pairs, "returned 2, outside its range")


def test_predictions_of_classifiers() -> None:
    metric = own(lambda p: p.hits.min(axis=1) / p.n, takes="predictions")
    found = ClassScoring(extra=[metric], replicates=50).score(TRUTH, PRED)
    assert found.values["own"] == pytest.approx(0.2)
    assert "own" in found.intervals
    undefined = ClassScoring(extra=[own(lambda _: None, takes="predictions")]).score(TRUTH, PRED)
    assert "own" not in {**undefined.values, **undefined.intervals}


def test_features() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 2)).astype(np.float32)
    metric = own(lambda f: float(f.features.shape[1]) / 10, takes="features")
    found = score_features(x, PRED, rng, [metric])
    assert found["own"] == 0.2
    assert "silhouette" in found
    assert "own" not in score_features(x, PRED, rng, [own(lambda _: None, takes="features")])
