"""Which stages a method has, and which artefact plays which role in each.

The tables below are the only place that says so. Planning makes keys from them; rescoring, and whatever
else opens a finished cell, finds a stage's inputs by them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

PREPARE = "prepare"
"""The step that every chain starts from: the prepared images."""

Use = Literal["pretrain", "fit", "training", "score"]
"""Which images a stage works on: those to pretrain on (unless the dataset names some, those of fit), to fit,
to train a classifier on (those of fit, unless given all that are not scored), or to score."""


@dataclass(frozen=True)
class Step:
    """One stage in a method's chain."""

    name: str
    """Unique in a chain; later steps read its artefact by this name."""
    part: str | None
    """The part of the method that does it; None for the harness. "encoder of X" is the one nested in X."""
    reads: Mapping[str, str]
    """Role -> the step whose artefact plays it; of several, `a|b`, the first that the chain has. A role
    whose steps are all missing stays empty."""
    images: tuple[Use, ...] = ("score",)
    precision: bool = True
    """Whether numerical precision is a parameter: it is wherever a network may run."""
    label_free: Collection[str] = ()
    """Roles filled only where the suite asks for scores that need no labels."""

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
"""Also of a clusterer without an encoder, such as a trivial baseline: then only the last two steps."""

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
    """Return the steps of a method that has these parts, e.g. encoder and clusterer, in order.

    Steps that fit something are among them, whether or not the adapter learns anything.
    """
    whole: tuple[Step, ...] = ENCODER_CHAIN
    if "pair_model" in parts:
        whole = PAIR_CHAIN
    elif "classifier" in parts:
        whole = CLASSIFIER_CHAIN
    return [s for s in whole if s.part is None or s.part.rpartition(" ")[2] in parts]


def inputs(step: Step, keys: Mapping[str, str], *, label_free: bool) -> dict[str, str]:
    """Return the key of the artefact for each role of a step, from the keys of the steps before it."""
    found = {}
    for role, steps in step.reads.items():
        key = next((keys[name] for name in steps.split("|") if name in keys), None)
        if key is not None and (label_free or role not in step.label_free):
            found[role] = key
    return found


class Ran(Protocol):
    """A stage as a record keeps it."""

    @property
    def stage(self) -> str: ...
    @property
    def key(self) -> str: ...


def keys_of(parts: Collection[str], stages: Collection[Ran]) -> dict[str, str]:
    """Return step -> key for the stages of a finished cell, given in the order in which they ran."""
    left = list(stages)
    found = {}
    for step in reversed(chain(parts)):
        if left and left[-1].stage == step.stage:  # an adapter that learns nothing has no fit
            found[step.name] = left.pop().key
    return found | {s.stage: s.key for s in left if s.stage == PREPARE}


def selected(step: Step, selections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a step that say which images it uses.

    `selections` has the dataset's `fit`, `pretrain` and `score`, as far as the suite gives them. A classifier
    must not be fitted on what is scored, so where the suite gives no `fit`, those images are held out.
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


def scoring(step: Step, selections: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a step that scores; `asked` says how, the same for all methods."""
    supervised = {"supervised": True} if "training" in step.images else {}
    return {**selected(step, selections), **asked, **supervised}
