"""Calls metrics that do not ship and checks what they return: a mistake ends as one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.contingency import FloatArray
from bench.metrics.metric import Metric
from bench.metrics.names import Loaded
from bench.metrics.pairs import ratio

_ROUNDING = 1e-9
"""How far beyond its range, relative to its ends, rounding may take a number; it is clipped then."""


def guarded(loaded: Loaded) -> Metric:
    """Return the metric with a function that checks what the user's function does and returns.

    The new function raises `DataError`, which names the metric and its file, if the user's function raises
    or returns anything but finite numbers of the right shape within the metric's range. The traceback goes
    to stderr, which is the log of a stage.
    """
    metric = loaded.metric
    assert metric.measure is not None
    guard = _Guard(metric, f"metric {metric.name!r} ({loaded.use})", metric.measure)
    return replace(metric, measure=getattr(guard, metric.takes))


@dataclass(frozen=True)
class _Guard:
    """One method for each kind of argument that a user's metric may take."""

    metric: Metric
    title: str
    measure: Callable[[Any], Any]

    def tables(self, tables: Any) -> FloatArray:
        return self._in_range(self._shaped(self._call(tables), (len(tables.counts),)))

    def pairs(self, counts: Any) -> tuple[FloatArray, FloatArray]:
        found = self._call(counts)
        if not isinstance(found, tuple) or len(found) != 2:
            raise DataError(f"{self.title} returned {_shown(found)}, not a numerator and a denominator")
        part, whole = (self._shaped(x, counts.join_join.shape) for x in found)
        self._in_range(ratio(part, whole), undefined=whole == 0)
        return part, whole

    def predictions(self, predictions: Any) -> FloatArray | None:
        found = self._call(predictions)
        return None if found is None else self._in_range(self._shaped(found, (len(predictions.weights),)))

    def features(self, features: Any) -> float | None:
        found = self._call(features)
        return None if found is None else float(self._in_range(self._shaped(found, ()))[()])

    def _call(self, argument: Any) -> Any:
        try:
            with np.errstate(all="ignore"):  # what comes of it is checked
                return self.measure(argument)
        except MemoryError:
            raise
        except (Exception, SystemExit) as e:  # a user's function may raise anything
            traceback.print_exc()
            raise DataError(f"{self.title} failed: {type(e).__name__}: {e}"[:2000]) from e

    def _shaped(self, found: Any, shape: tuple[int, ...]) -> FloatArray:
        try:
            array: NDArray[Any] = np.asarray(found)
        except Exception:  # noqa: BLE001  # whatever the conversion of a user's object raises
            raise DataError(f"{self.title} returned {_shown(found)}, not numbers of shape {shape}") from None
        if array.dtype.kind not in "fiu" or array.shape != shape:
            got = f"{array.dtype} of shape {array.shape}" if array.dtype.kind != "O" else _shown(found)
            raise DataError(f"{self.title} returned {got}, not numbers of shape {shape}")
        numbers: FloatArray = array.astype(np.float64)
        if not np.isfinite(numbers).all():
            bad = numbers[~np.isfinite(numbers)]
            raise DataError(f"{self.title} returned {bad[0]} for {bad.size} of {max(1, numbers.size)} tables")
        return numbers

    def _in_range(self, numbers: FloatArray, undefined: NDArray[np.bool_] | None = None) -> FloatArray:
        low, high = self.metric.low, self.metric.high
        slack = _ROUNDING * max(1.0, *(abs(e) for e in (low, high) if np.isfinite(e)), 1.0)
        beyond = (numbers < low - slack) | (numbers > high + slack)
        if undefined is not None:
            beyond &= ~undefined
        if beyond.any():
            bad = float(numbers[beyond].flat[0])
            raise DataError(f"{self.title} returned {bad:.6g}, outside its range, {low:g} to {high:g}")
        clipped: FloatArray = np.clip(numbers, low, high)
        return clipped


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
