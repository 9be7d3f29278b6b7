"""Checks of adapters that learn."""

from __future__ import annotations

import numpy as np

from bench.contract.check import Broken, NotApplicable, check
from bench.contract.subject import MethodSubject, moved

_TRAINED = ("encoder", "pair_model", "classifier")


class _Interrupted(BaseException):
    """Ends a training as a kill does: no `except Exception` catches it."""


@check(*_TRAINED, needs=("deterministic",))
def weights(subject: MethodSubject) -> None:
    """All that it learned is in the folder of weights.

    Another process, perhaps on another machine, applies it; what an object or a path of the training
    remembers is not there.
    """
    if not subject.learns:
        raise NotApplicable("it learns nothing")
    learned = subject.fit(subject.material, adapter=subject.with_params())
    assert learned is not None
    elsewhere = moved(learned, subject.new_folder() / "moved")
    found = subject.apply(subject.material, elsewhere, adapter=subject.with_params()).result
    if not np.array_equal(found, subject.first.result):
        raise Broken("a new adapter that is given the weights in another folder returns something else")


@check(*_TRAINED, needs=("deterministic",))
def resumes(subject: MethodSubject) -> None:
    """A training that is interrupted ends with the same result when it is run again.

    Long trainings are killed by queues and time limits. What is in `run.checkpoints` is still there then; a
    training that keeps nothing there must start anew.
    """
    if not subject.learns:
        raise NotApplicable("it learns nothing")
    reports = 0

    def count(done: int, total: int | None, text: str) -> None:
        nonlocal reports
        reports += 1

    subject.fit(subject.material, report=count)
    if not reports:
        raise NotApplicable("it never calls run.report while it learns, so it cannot be interrupted here")
    left = max(min(2, reports), reports // 2 + 1)

    def interrupt(done: int, total: int | None, text: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise _Interrupted

    checkpoints = subject.new_folder()
    try:
        subject.fit(subject.material, checkpoints=checkpoints, report=interrupt)
    except _Interrupted:
        pass
    else:
        raise Broken("it catches BaseException while it learns, so nothing can stop it")
    resumed = subject.fit(subject.material, checkpoints=checkpoints)
    found = subject.apply(subject.material, resumed).result
    if not np.array_equal(found, subject.first.result):
        kept = len(list(checkpoints.rglob("*")))
        raise Broken(f"the result differs after an interruption that left {kept} files in run.checkpoints")
