"""The table of stages: every method gets its inputs, and finished cells are read by the same table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bench.planning import wiring
from bench.planning.wiring import chain, inputs, keys_of, scoring, selected

SHAPES = {
    "encoder": ("encoder", "clusterer"),
    "reduced": ("encoder", "reducer", "clusterer"),
    "pairs": ("pair_model", "clusterer"),
    "classifier": ("classifier",),
    "trivial": ("clusterer",),
}


@dataclass(frozen=True)
class Stored:
    """A stage as stored in a record."""

    stage: str
    key: str


@pytest.mark.parametrize("parts", SHAPES.values(), ids=SHAPES)
def test_a_step_reads_only_earlier_steps(parts: tuple[str, ...]):
    known = {wiring.PREPARE}
    whole = next(
        c for c in (wiring.ENCODER_CHAIN, wiring.PAIR_CHAIN, wiring.CLASSIFIER_CHAIN) if chain(parts)[-1] in c
    )
    for step in whole:
        assert {name for steps in step.reads.values() for name in steps.split("|")} <= known
        assert set(step.label_free) <= set(step.reads)
        known.add(step.name)
    assert [s.stage for s in chain(parts)][-1] == "score"


def test_what_is_scored_comes_from_the_last_step_that_the_method_has():
    keys = {"prepare": "p", "encode": "e", "reduce": "r", "cluster": "c"}
    cluster, score = chain(SHAPES["reduced"])[-2:]
    assert inputs(cluster, keys, label_free=False) == {"images": "p", "features": "r"}
    assert inputs(score, keys, label_free=False) == {"images": "p", "labels": "c"}
    assert inputs(score, keys, label_free=True) == {
        "images": "p",
        "labels": "c",
        "features": "e",
        "reduced": "r",
    }
    (cluster, _) = chain(SHAPES["trivial"])
    assert inputs(cluster, {"prepare": "p"}, label_free=True) == {"images": "p"}


@pytest.mark.parametrize("parts", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("skipped", [0, 1, 2])
def test_a_finished_cell_is_read_back(parts: tuple[str, ...], skipped: int):
    """Untrained adapters skip the first steps of a chain."""
    steps = chain(parts)
    fits = [s for s in steps if s.stage == "fit"]
    ran = [s for s in steps if s not in fits[:skipped]]
    stages = [
        Stored("synthesize", "s"),
        Stored("prepare", "p"),
        *(Stored(s.stage, f"key of {s.name}") for s in ran),
    ]
    assert keys_of(parts, stages) == {"prepare": "p"} | {s.name: f"key of {s.name}" for s in ran}


def test_a_classifier_is_never_fitted_on_scored_images():
    fit, score = chain(["classifier"])[1], chain(["classifier"])[-1]
    given = {"fit": {"fraction": 0.8}, "score": {"fraction": 0.2}}
    assert selected(fit, given) == {"fit": {"fraction": 0.8}}
    held_out = {"score": {"fraction": 0.2}, "fit": {}, "held_out": True}
    assert selected(fit, {"score": {"fraction": 0.2}}) == held_out
    assert scoring(score, {"score": {"fraction": 0.2}}, {"noise": "drop"}) == {
        **held_out,
        "noise": "drop",
        "supervised": True,
    }


def test_encoders_pretrain_on_their_own_images():
    given = {"fit": {"split": "a"}, "pretrain": {"split": "b"}}
    (_, encoder, *_), (nested, pairs, *_) = chain(SHAPES["encoder"]), chain(SHAPES["pairs"])
    assert [selected(s, given)["fit"]["split"] for s in (encoder, nested, pairs)] == ["b", "b", "a"]
    del given["pretrain"]
    assert selected(encoder, given) == {"fit": {"split": "a"}}
