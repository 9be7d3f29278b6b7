"""The metrics by name: what tables, suites and docs need to know. Imports nothing heavy."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.adapters.sockets import Entry, Socket, objects_of
from bench.errors import AdapterError
from bench.metrics.metric import Metric, unknown
from bench.util.text import suggest

VERSION = 1
"""Version of the definitions: raised whenever a metric would give another number for the same labels."""

COUNTS = ("n", "coverage", "classes", "clusters", "noise", "intervals")
"""Other names in the JSON of scores, so no metric may have them."""

_BUILTIN = "bench.metrics.builtin"
_SOCKET: Socket[Metric] = Socket("metric", "", "Metric", objects_of(Metric))
"""Finds what does not ship. What ships is found by `_shipped`: a file may hold a family of metrics."""


def _shipped() -> dict[str, Metric]:
    package = importlib.import_module(_BUILTIN)
    stems = [m.name for m in pkgutil.iter_modules(package.__path__)]
    modules = [importlib.import_module(f"{_BUILTIN}.{stem}") for stem in stems]
    found = {v.name: v for m in modules for k, v in vars(m).items() if isinstance(v, Metric) and k[0] != "_"}
    return {m.name: m for m in sorted(found.values(), key=lambda m: (m.order, m.name))}


SHIPPED: dict[str, Metric] = _shipped()
"""Every metric that ships, in the order of tables."""


def taking(metrics: Iterable[Metric], *takes: str) -> dict[str, Metric]:
    """Return those of some metrics that are computed from one of `takes`, by name."""
    return {m.name: m for m in metrics if m.takes in takes}


METRICS: dict[str, Metric] = taking(SHIPPED.values(), "tables", "pairs")
"""Every metric of a clustering, in the order of tables."""

CLASSIFICATION: dict[str, Metric] = taking(SHIPPED.values(), "predictions")
"""What only classifiers have: their classes have names, so nothing is matched. A classifier without
probabilities has no average precision."""

LABEL_FREE: dict[str, Metric] = taking(SHIPPED.values(), "features", "groups", "labels")
"""What parts of a record may hold beside the metrics above."""


@dataclass(frozen=True)
class Loaded:
    """A metric that does not ship, with what is needed to load the same one again."""

    metric: Metric
    use: str
    """Name of an entry point, or path of a Python file."""
    identity: str
    """Names its code in keys: content of a file, or `module:name`; and the declared version."""


def find(column: str, declared: Mapping[str, Metric] | None = None) -> Metric:
    """Return what a table's column means: a metric, or `part.metric` for one of a part of the record.

    Parts are those of `CellRecord.parts`: `pairs.f1_joins`, `seen-unseen.ri`, `day.cramers_v`, `class
    control.accuracy`...
    `declared` are metrics that do not ship, by name. Raises `KeyError` with the name that is not known.
    """
    part, _, name = column.rpartition(".")
    if not part and name in LABEL_FREE:
        raise KeyError(name)
    metric = SHIPPED.get(name) or (declared or {})[name]
    return metric if not part else replace(metric, name=column, title=f"{metric.title} {part}")


def find_or_unknown(column: str, declared: Mapping[str, Metric] | None = None) -> Metric:
    """Do as `find`, but return `unknown` for a metric that is not installed any more, or was not declared."""
    try:
        return find(column, declared)
    except KeyError:
        return unknown(column)


def entries() -> list[Entry]:
    """Return what is installed beside the shipped metrics; imports none of it."""
    return [e for e in _SOCKET.entries() if e.name not in SHIPPED]


def load(use: str, folder: Path | None = None) -> Loaded:
    """Return a metric that does not ship.

    Parameters
    ----------
    use : name of an entry point; or a path that ends in .py, relative to `folder` (that of the suite file).

    Raises
    ------
    AdapterError : unknown name (with the nearest ones), a file that cannot be imported or does not hold
        exactly one `Metric`, or a metric that is not sound, e.g. has the name of a shipped one.
    """
    if not use.endswith(".py") and use not in _SOCKET.names():
        raise AdapterError(f"no metric named {use!r}; {suggest(use, [*SHIPPED, *_SOCKET.names()])}")
    found = _SOCKET.load(use, folder)
    metric = found.value
    problem = metric.problem()
    if problem is None and (metric.name in SHIPPED or metric.name in COUNTS):
        problem = f"the name {metric.name!r} is taken by what ships; choose another"
    if problem is None and not found.content_hash and metric.name != use:
        problem = f"its `name` is {metric.name!r}; an entry point has the name of its metric"
    if problem is None and metric.takes not in ("tables", "pairs", "predictions", "features"):
        problem = f"`takes` must be tables, pairs, predictions or features, not {metric.takes!r}"
    if problem is not None:
        raise AdapterError(f"metric {use!r}: {problem}")
    if found.content_hash:
        path = str(((folder or Path()) / Path(use).expanduser()).resolve())
        return Loaded(metric, path, f"file:{found.content_hash}@{metric.version}")
    return Loaded(metric, use, f"{found.origin}@{metric.version}")
