"""The part of a record that tables need: a tenth of its fields, read in a tenth of the time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.records.leftout import from_json, left_out
from bench.records.record import Status, refuse_newer
from bench.util.durable import Damaged, unseal


class Scored(Protocol):
    """What records and summaries share, for tables."""

    @property
    def status(self) -> Status: ...
    @property
    def uses_labels(self) -> bool: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def intervals(self) -> Mapping[str, Sequence[float]]: ...
    @property
    def parts(self) -> Mapping[str, Mapping[str, float]]: ...
    @property
    def metrics_version(self) -> int | None: ...
    @property
    def n_scored(self) -> int: ...
    @property
    def coverage(self) -> float | None: ...
    @property
    def classes(self) -> int | None: ...
    @property
    def clusters(self) -> int | None: ...
    @property
    def wall_s(self) -> float: ...
    @property
    def left_out(self) -> Mapping[str, Any]: ...


@dataclass(slots=True)
class Summary:
    """The part of a `CellRecord` that tables use; the same fields."""

    key: str
    status: Status
    uses_labels: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, list[float]] = field(default_factory=dict)
    parts: dict[str, dict[str, float]] = field(default_factory=dict)
    metrics_version: int | None = None
    n_scored: int = 0
    coverage: float | None = None
    classes: int | None = None
    clusters: int | None = None
    wall_s: float = 0.0
    left_out: dict[str, Any] = field(default_factory=dict)


_FIELDS = tuple(Summary.__slots__)
_STATUSES = {str(s): s for s in Status}


def read_summary(path: str) -> Summary | None:
    """Read the summary of a record; None if there is no such file.

    Every byte is checked, but only what tables need is parsed and validated. Raises `Damaged` for a damaged
    file or another kind of content, and `Newer` like `bench.records.record.read`.
    """
    try:
        with open(path, "rb", buffering=0) as f:  # noqa: PTH123  # pathlib would cost as much as the rest
            data = f.read()
    except FileNotFoundError:
        return None
    body = unseal(data, path, until="stages")
    refuse_newer(body, path)
    try:
        summary = Summary(**{k: body[k] for k in _FIELDS if k in body})
        summary.status = _STATUSES[body["status"]]
        if not summary.left_out and body.get("bad_images"):  # written before records summed them up
            lost = left_out(body["bad_images"], {}, None)
            summary.left_out = lost.as_json() if lost is not None else {}
        from_json(summary.left_out)
    except (KeyError, TypeError):
        raise Damaged(f"{path}: not a record: fields are missing or wrong") from None
    if not _plausible(summary):
        raise Damaged(f"{path}: not a record: a score is not a number, or a failed cell has scores")
    if os.path.basename(path) != f"{summary.key}.json":  # noqa: PTH119
        raise Damaged(f"{path}: holds the record of another cell, {summary.key}")
    return summary


def _plausible(s: Summary) -> bool:
    if s.status.failed == bool(s.metrics or s.parts):
        return False
    numbers: list[Any] = [*s.metrics.values(), s.wall_s, s.n_scored]
    for pair in s.intervals.values():
        numbers += pair
    for part in s.parts.values():
        numbers += part.values()
    return {type(n) for n in numbers} <= {int, float}
