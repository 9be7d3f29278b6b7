"""The stages of a method, and which artefact fills which role in each.

The tables below are the only definition: planning derives keys from them; rescoring, and everything else
that opens a finished cell, looks up a stage's inputs in them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

PREPARE = "prepare"
"""First step of every chain: the prepared images."""

Use = Literal["pretrain", "fit", "training", "score"]
"""Images that a stage uses: to pretrain on (default: those of fit), to fit, to train a classifier on (those
of fit; default: all that are not scored), or to score."""


@dataclass(frozen=True)
class Step:
    """One stage in a method's chain."""

    name: str
    """Unique in a chain; later steps refer to its artefact by this name."""
    part: str | None
    """Part of the method that performs it; None for the harness. "encoder of X" is the one nested in X."""
    reads: Mapping[str, str]
    """Role -> step that produces its artefact; for `a|b`, the first that the chain has. A role without any
    of its steps stays empty."""
    images: tuple[Use, ...] = ("score",)
    precision: bool = True
    """Whether numerical precision is a parameter, as wherever a network may run."""
    label_free: Collection[str] = ()
    """Roles filled only if the suite requests label-free scores."""

    @property
    def stage(self) -> str:
        """Kind of stage: fit, encode, pair, reduce, cluster, predict or score."""
        return self.name.partition(" ")[0]


ENCODER_CHAIN = (
    Step("fit encoder", "encoder of encoder", {"images": PREPARE}, images=("pretrain",)),
    Step("fit", "encoder", {"images": PREPARE, "encoder_weights": "fit encoder"}, images=("pretrain",)),
    Step("encode", "encoder", {"images": PREPARE, "weights": "fit"}),
    Step("reduce", "reducer", {"features": "encode"}, images=(), precision=False),
    Step("cluster", "clusterer", {"images": PREPARE, "features": "reduce|encode"}, precision=False),
    Step(
        "score",
        None,
        {"images": PREPARE, "labels": "cluster", "features": "encode", "reduced": "reduce"},
        precision=False,
        label_free=("features", "reduced"),
    ),
)
"""Also for a clusterer without an encoder, e.g. a trivial baseline: then only the last two steps."""

PAIR_CHAIN = (
    Step("fit encoder", "encoder of pair_model", {"images": PREPARE}, images=("pretrain",)),
    Step("fit", "pair_model", {"images": PREPARE, "encoder_weights": "fit encoder"}, images=("fit",)),
    Step("pair", "pair_model", {"images": PREPARE, "weights": "fit"}),
    Step("cluster", "clusterer", {"images": PREPARE, "join_probabilities": "pair"}, precision=False),
    Step(
        "score",
        None,
        {"images": PREPARE, "labels": "cluster", "join_probabilities": "pair"},
        precision=False,
    ),
)

CLASSIFIER_CHAIN = (
    Step("fit encoder", "encoder of classifier", {"images": PREPARE}, images=("pretrain",)),
    Step("fit", "classifier", {"images": PREPARE, "encoder_weights": "fit encoder"}, images=("training",)),
    Step("predict", "classifier", {"images": PREPARE, "weights": "fit", "encoder_weights": "fit encoder"}),
    Step(
        "score",
        None,
        {"images": PREPARE, "labels": "predict"},
        images=("score", "training"),
        precision=False,
    ),
)


def chain(parts: Collection[str]) -> list[Step]:
    """Return the steps of a method with these parts, e.g. encoder and clusterer, in order.

    Fit steps are included even if the adapter is not trained.
    """
    whole: tuple[Step, ...] = ENCODER_CHAIN
    if "pair_model" in parts:
        whole = PAIR_CHAIN
    elif "classifier" in parts:
        whole = CLASSIFIER_CHAIN
    return [s for s in whole if s.part is None or s.part.rpartition(" ")[2] in parts]


def inputs(step: Step, keys: Mapping[str, str], *, label_free: bool) -> dict[str, str]:
    """Return role -> artefact key for a step, from the keys of earlier steps."""
    found = {}
    for role, steps in step.reads.items():
        key = next((keys[name] for name in steps.split("|") if name in keys), None)
        if key is not None and (label_free or role not in step.label_free):
            found[role] = key
    return found


class FinishedStage(Protocol):
    """A stage as stored in a record."""

    @property
    def stage(self) -> str: ...
    @property
    def key(self) -> str: ...


def keys_of(parts: Collection[str], stages: Collection[FinishedStage]) -> dict[str, str]:
    """Return step -> key for the stages of a finished cell, given in execution order."""
    left = list(stages)
    found = {}
    for step in reversed(chain(parts)):
        if left and left[-1].stage == step.stage:  # an untrained adapter has no fit
            found[step.name] = left.pop().key
    return found | {s.stage: s.key for s in left if s.stage == PREPARE}


def selected(step: Step, selections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a step that select its images.

    `selections` has those of `fit`, `pretrain` and `score` that the suite gives. A classifier must not be
    fitted on scored images, so without a `fit` these are held out.
    """
    fit, score = selections.get("fit", {}), selections.get("score", {})
    params: dict[str, Any] = {}
    for use in step.images:
        if use == "score":
            params["score"] = score
        elif use == "pretrain":
            params["fit"] = selections.get("pretrain", fit)
        elif use == "training" and "fit" not in selections:
            params |= {"score": score, "fit": {}, "held_out": True}
        else:
            params["fit"] = fit
    return params


def scoring(step: Step, selections: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a score step; `options` are those shared by all methods."""
    supervised = {"supervised": True} if "training" in step.images else {}
    return {**selected(step, selections), **options, **supervised}
