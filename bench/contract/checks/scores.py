"""Checks of metrics."""

from __future__ import annotations

import math

import numpy as np

from bench.contract.check import Broken, NotApplicable, check
from bench.contract.scored import MetricSubject, labels

_CLOSE = 1e-9


@check("metric")
def computes(subject: MetricSubject) -> None:
    """It gives one finite number for a prediction that is right for seven images in ten.

    Intervals, ranks and means have no place for anything else. Undefined values are None, where that may be.
    """
    subject.score(*labels())


@check("metric", needs=("computes",))
def in_range(subject: MetricSubject) -> None:
    """It stays within the range that it declares.

    Intervals are clipped to it, and figures draw their axes by it. Tried from chance to perfect agreement,
    with one cluster for all images and with one for each.
    """
    truth, _ = labels()
    for seed in range(20):
        subject.score(*labels(seed, right=seed / 20))
    if subject.metric.takes != "features":
        subject.score(truth, np.zeros_like(truth))
    if subject.on_tables:
        subject.score(truth, np.arange(truth.size))
        subject.score(np.zeros_like(truth), truth)


@check("metric", needs=("computes",))
def best_if_equal(subject: MetricSubject) -> None:
    """Perfect agreement gives the best value that it declares.

    If it does not, `higher_is_better`, `low` or `high` is wrong, and tables rank methods by it.
    """
    metric = subject.metric
    best = metric.high if metric.higher_is_better else metric.low
    if metric.takes not in ("tables", "pairs", "predictions"):
        raise NotApplicable(f"it takes {metric.takes}; there is no perfect agreement")
    if not math.isfinite(best):
        raise NotApplicable("its best value is infinite")
    truth, _ = labels()
    found = subject.score(truth, truth)
    if found is not None and abs(found - best) > _CLOSE:
        raise Broken(f"it is {found:g} if all labels are right; its best value is {best:g}")


@check("metric", needs=("computes",))
def names_of_clusters(subject: MetricSubject) -> None:
    """Other ids of the clusters change nothing.

    Clusters have no names; what depends on their numbers measures chance.
    """
    if subject.metric.takes == "predictions":
        raise NotApplicable("predicted classes have names")
    truth, pred = labels()
    other = np.array([7, 3, 11, 5])[pred]
    _same(subject.score(truth, pred), subject.score(truth, other), "with other ids")


@check("metric", needs=("computes",))
def order_of_images(subject: MetricSubject) -> None:
    """The order of the images changes nothing.

    It is that of file names.
    """
    truth, pred = labels()
    by = np.random.default_rng(1).permutation(truth.size)
    if subject.metric.takes == "features":
        raise NotApplicable("features are drawn in the order of the images here")
    _same(subject.score(truth, pred), subject.score(truth[by], pred[by]), "in another order")


@check("metric", needs=("computes",))
def one_at_a_time(subject: MetricSubject) -> None:
    """Many resamples at once give the numbers that each gives alone.

    Intervals come from all resamples in one call; a sum over the wrong axis shows only there.
    """
    together, alone = subject.resampled(*labels())
    many = subject.call(subject.metric, together)
    each = [subject.call(subject.metric, a) for a in alone]
    for i, one in enumerate(each):
        if (many is None) != (one is None):
            raise Broken("it is undefined for some resamples and not for all at once, or the reverse")
        if many is not None and one is not None:
            _same(float(one[0]), float(many[i]), f"in resample {i} of {len(each)} at once")


@check("metric", needs=("computes",))
def argument_unchanged(subject: MetricSubject) -> None:
    """It does not write into what it is handed.

    All metrics share the same tables.
    """
    truth, pred = labels()
    argument = subject.argument(truth, pred)
    first = subject.call(subject.metric, argument)
    before = _arrays(argument)
    again = subject.call(subject.metric, argument)
    fresh = subject.argument(truth, pred)
    clean = {k: v for k, v in _arrays(fresh).items() if k in before}
    if any(before[k] != v for k, v in clean.items()) or not _equal(first, again):
        raise Broken("it writes into its argument; copy what it changes")


def _same(a: float | None, b: float | None, what: str) -> None:
    if (a is None) != (b is None) or (a is not None and b is not None and abs(a - b) > _CLOSE):
        raise Broken(f"it is {b} {what}, and {a} else")


def _equal(a: object, b: object) -> bool:
    return bool(np.array_equal(np.asarray(a, float), np.asarray(b, float), equal_nan=True))


def _arrays(value: object, depth: int = 3) -> dict[str, bytes]:
    """Return the bytes of the arrays that an object holds, by their path in it."""
    if isinstance(value, np.ndarray):
        return {"": value.tobytes()}
    if not hasattr(value, "__dict__") or not depth:
        return {}
    inner = {name: _arrays(v, depth - 1) for name, v in vars(value).items()}
    return {f"{name}.{path}": data for name, found in inner.items() for path, data in found.items()}
