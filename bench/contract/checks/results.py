"""Checks of what a part of a method returns for ordinary images."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from bench.contract.check import METHODS, Broken, NotApplicable, check
from bench.contract.subject import MethodSubject
from bench.interfaces import Clusterer, Json

_ON_IMAGES = ("encoder", "pair_model", "classifier")
_SOUND = ("runs", "shape", "values")
_CLOSE = 1e-3
"""Largest difference, relative to the largest value, that other sums of the same numbers may make."""


@check(*METHODS)
def runs(subject: MethodSubject) -> None:
    """It runs on ordinary images without an error.

    Small grey 8-bit images of three classes, or features and pairs of them, with the default parameters but
    for those given with --set.
    """
    if subject.first.result.dtype == object:
        raise Broken("it returned something that is no array of numbers")
    adapter = subject.adapter
    for take in adapter.takes[1:] if isinstance(adapter, Clusterer) else ():
        subject.verify(subject.apply(subject.material, None, take=take).result, subject.material)


@check(*METHODS, needs=("runs",))
def shape(subject: MethodSubject) -> None:
    """The result has one row, or label, per image.

    What comes after it matches rows to images by their position.
    """
    n, found = len(subject.material), subject.first.result.shape
    classes = len(subject.material.images.classes)
    expected = {
        "encoder": (f"({n}, d)", len(found) == 2 and found[0] == n and found[-1] > 0),
        "reducer": (f"({n}, d)", len(found) == 2 and found[0] == n and found[-1] > 0),
        "pair_model": (f"({n}, {n})", found == (n, n)),
        "clusterer": (f"({n},)", found == (n,)),
        "classifier": (f"({n},) or ({n}, {classes})", found in ((n,), (n, classes))),
    }
    text, holds = expected[subject.kind]
    if not holds:
        raise Broken(f"it returned shape {found} for {n} images; {text} is expected")


@check(*METHODS, needs=("runs",))
def dtype(subject: MethodSubject) -> None:
    """The result has the type that the contract says: float32, or int64 for labels.

    float64 doubles the memory and the files; labels of narrow types overflow.
    """
    result = subject.first.result
    whole = subject.kind == "clusterer" or (subject.kind == "classifier" and result.ndim == 1)
    expected = np.dtype(np.int64 if whole else np.float32)
    if result.dtype != expected:
        raise Broken(f"it returned {result.dtype}; {expected} is expected: .astype(np.{expected})")


@check(*METHODS, needs=("shape",))
def values(subject: MethodSubject) -> None:
    """All values are finite and in the range that the contract says.

    Join probabilities are symmetric with diagonal 1, class probabilities sum to 1, labels are ids from 0 on
    or -1 for noise. A run refuses anything else.
    """
    subject.verify(subject.first.result, subject.material)


@check(*METHODS, needs=_SOUND)
def deterministic(subject: MethodSubject) -> None:
    """The same seed gives the same bits.

    A result that cannot be had again cannot be checked, and results that are cached and shared by several
    methods would depend on which ran first. Draw from `run.rng()` or `run.seed`, never from a global state.
    """
    _equal(subject, subject.whole(subject.material).result, "a second run with the same seed")


@check(*METHODS, needs=("deterministic",))
def seed(subject: MethodSubject) -> None:
    """What declares that it does not depend on the seed does not.

    It is computed once and shared by all seeds, so intervals over seeds would be too narrow.
    """
    if subject.adapter.depends_on_seed():
        raise NotApplicable("it declares that it depends on the seed")
    found = subject.whole(subject.material, seed=1).result
    _equal(subject, found, "a run with another seed", "; declare seeded: ClassVar[bool] = True")


@check(*METHODS, needs=("deterministic",))
def facts(subject: MethodSubject) -> None:
    """What it tells the record can be written as JSON, and is the same when it runs again.

    Only what stands under `speed` may differ. A record is compared with others byte by byte.
    """
    once, again = subject.first.facts, subject.whole(subject.material).facts
    for name, value in once.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as e:
            raise Broken(f"run.facts[{name!r}] cannot be written as JSON: {e}") from None
    differ = sorted(k for k in once.keys() | again.keys() if k != "speed" and once.get(k) != again.get(k))
    if differ:
        shown: list[Json] = [once.get(differ[0]), again.get(differ[0])]
        raise Broken(f"run.facts[{differ[0]!r}] differs between two runs: {shown[0]!r}, then {shown[1]!r}")


@check(*_ON_IMAGES, needs=("deterministic",))
def batch(subject: MethodSubject) -> None:
    """`batch` changes the time it takes, not the result.

    Who lowers it because memory is short must not get other numbers. What a training learned with another
    batch may differ, so trained adapters are given the same weights.
    """
    if "batch" not in subject.cls.model_fields:
        raise NotApplicable("it has no parameter `batch`")
    tried = 0
    for size in (1, 7, 2 * len(subject.material), 2, 16):
        try:
            adapter = subject.with_params(batch=size)
        except ValidationError:
            continue
        found = subject.apply(subject.material, subject.trained, adapter=adapter).result
        _close(subject, found, f"with batch: {size}")
        tried += 1
    if not tried:
        raise NotApplicable("other values of `batch` do not go with its other parameters")


@check(*_ON_IMAGES, needs=("deterministic",))
def order(subject: MethodSubject) -> None:
    """Images in another order give the same results in that order.

    The order is that of file names. Trained adapters are given the same weights.
    """
    material = subject.material
    by = np.random.default_rng(0).permutation(len(material))
    found = subject.apply(material.taken(by), subject.trained).result
    back = np.argsort(by)
    _close(subject, found[np.ix_(back, back)] if subject.kind == "pair_model" else found[back], "reordered")


@check(*_ON_IMAGES, needs=("deterministic",))
def selection(subject: MethodSubject) -> None:
    """Only the selected rows of a larger array of images are used.

    `images.pixels` may hold many more images than were selected for scoring: read `images.batch(...)` or
    `images.batches(...)`.
    """
    material = subject.material
    images = material.images
    by = np.random.default_rng(1).permutation(2 * len(material))
    pixels = np.concatenate([images.pixels, images.pixels[::-1]])[by]
    rows = np.argsort(by)[: len(material)]
    chosen = replace(material, images=replace(images, pixels=pixels, rows=rows))
    _close(subject, subject.apply(chosen, subject.trained).result, "selected out of a larger array")


@check("encoder", "pair_model", "clusterer", needs=("deterministic",))
def labels(subject: MethodSubject) -> None:
    """What does not declare `uses_labels` does not look at the labels.

    Tables say what a method was given beside the images. A run hides the labels; here they are there.
    """
    if subject.cls.uses_labels:
        raise NotApplicable("it declares `uses_labels`")
    found = subject.whole(subject.material, labels=True).result
    _equal(subject, found, "a run that was handed the labels", "; declare uses_labels: ClassVar[bool] = True")


@check(*METHODS, needs=("runs",))
def input_unchanged(subject: MethodSubject) -> None:
    """It does not write into what it is handed.

    Images are a file that all methods share, opened read-only; features and probabilities may be mapped too.
    """
    material = subject.material
    before = material.content()
    takes = subject.adapter.takes if isinstance(subject.adapter, Clusterer) else (None,)
    weights = subject.fit(material)
    for take in takes:
        subject.apply(material, weights, take=take)
    if material.content() != before:
        raise Broken(f"it changed its {'images' if subject.kind in _ON_IMAGES else 'input'}; copy it first")


def _equal(subject: MethodSubject, found: NDArray[Any], what: str, hint: str = "") -> None:
    expected = subject.first.result
    if found.shape != expected.shape:
        raise Broken(f"{what} gives shape {found.shape} in place of {expected.shape}{hint}")
    same = (found == expected).reshape(len(expected), -1).all(axis=1)
    if not same.all():
        raise Broken(f"{what} differs in {np.sum(~same)} of {same.size} rows{_by(found, expected)}{hint}")


def _close(subject: MethodSubject, found: NDArray[Any], what: str) -> None:
    expected = subject.first.result
    if found.shape != expected.shape:
        raise Broken(f"{what} it gives shape {found.shape} in place of {expected.shape}")
    if expected.dtype.kind in "iu":
        return _equal(subject, found, f"the result {what}")
    scale = float(np.abs(expected).max()) or 1.0
    away = np.abs(found - expected).reshape(len(expected), -1).max(axis=1) > _CLOSE * scale
    if away.any():
        raise Broken(f"{what} the result differs in {away.sum()} of {away.size} rows{_by(found, expected)}")
    return None


def _by(found: NDArray[Any], expected: NDArray[Any]) -> str:
    if expected.dtype.kind in "iu":
        return ""
    return f", by up to {float(np.abs(found - expected).max()):.3g}"
