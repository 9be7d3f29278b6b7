"""The metrics that a suite names: those that do not ship are loaded, and all names are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import AdapterError
from bench.metrics import names
from bench.metrics.names import LABEL_FREE, SHIPPED, Loaded
from bench.suite.schema import SuiteBlock
from bench.util.text import suggest
from bench.util.yamlfile import Where


@dataclass
class MetricNames:
    """The names of metrics in one suite.

    Parameters
    ----------
    folder : of the suite file.
    add : takes a problem, with where in the file it is.
    """

    folder: Path
    add: Callable[[Where, str], None]
    loaded: dict[str, Loaded] = field(default_factory=dict)
    """Metrics that do not ship, by name."""
    _columns: dict[str, str] = field(default_factory=dict)
    """What the file says of a metric that does not ship -> its column."""

    def resolve(self, block: SuiteBlock) -> SuiteBlock:
        """Load what does not ship, check all names, and return the block with columns instead of files."""
        written = list(_written(block))
        for name, where in written:
            self._load(name, where)
        for name, where in written:
            self._check(name, where)
        for item, where in written:
            loaded = self.loaded.get(self._columns.get(item, item).rpartition(".")[2])
            if loaded is not None and loaded.metric.takes == "features" and not block.label_free:
                self.add(where, f"metric {item!r} takes features: it needs `label_free: true`")
        if not self._columns:
            return block
        tables = [
            t.model_copy(
                update={
                    "columns": [self._column(c) for c in t.columns],
                    "sort": self._column(t.sort) if t.sort is not None else None,
                    "decimals": t.decimals
                    if isinstance(t.decimals, int)
                    else {self._column(m): d for m, d in t.decimals.items()},
                }
            )
            for t in block.tables
        ]
        return block.model_copy(
            update={"metrics": [self._column(m) for m in block.metrics], "tables": tables}
        )

    def _column(self, name: str) -> str:
        return self._columns.get(name, name)

    def _load(self, name: str, where: Where) -> None:
        if name in self._columns or name.rpartition(".")[2] in SHIPPED:
            return
        if not name.endswith(".py") and name not in {e.name for e in names.entries()}:
            return
        self._columns[name] = name  # so that it is tried once
        try:
            found = names.load(name, self.folder)
        except AdapterError as e:
            self.add(where, str(e))
            return
        own = found.metric.name
        other = self.loaded.setdefault(own, found)
        if other.identity != found.identity:
            self.add(where, f"metric {name!r}: {other.use} has a metric of this name, {own!r}, too")
        self._columns[name] = found.metric.column

    def _check(self, name: str, where: Where) -> None:
        if name in self._columns:
            return
        part, _, metric = name.rpartition(".")
        known = [*(n for n in SHIPPED if part or n not in LABEL_FREE), *self.loaded]
        if metric not in known:
            self.add(where, f"no metric named {metric!r}; {suggest(metric, known)}")


def _written(block: SuiteBlock) -> Iterator[tuple[str, Where]]:
    """Yield all names of metrics in a suite file with where they are."""
    yield from ((str(m), ("metrics", i)) for i, m in enumerate(block.metrics))
    for t, table in enumerate(block.tables):
        yield from ((str(m), ("tables", t, "columns", i)) for i, m in enumerate(table.columns))
        if table.sort not in (None, "suite"):
            yield str(table.sort), ("tables", t, "sort")
