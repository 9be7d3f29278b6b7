"""One suite on the site: its plan, records and leaderboard, and the paths of its pages."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property

from bench.adapters.keys import digest
from bench.records.record import CellRecord
from bench.records.results import PlannedCell, PlanOnDisk, Results
from bench.report.tables.leaderboard import Board, Leaderboard, Row, build


@dataclass(frozen=True)
class SiteSuite:
    """A suite that has run."""

    words: tuple[str, ...]
    """Arguments that select it on the command line: name or file, and profile."""
    results: Results
    plan: PlanOnDisk

    @cached_property
    def records(self) -> dict[str, CellRecord | None]:
        """The record of each planned cell, by its key. Raises `Damaged` for a corrupted record."""
        return {c.key: self.results.get(c.key) for c in self.plan.cells}

    @cached_property
    def board(self) -> Leaderboard:
        """The leaderboard of the whole suite."""
        return build(self.plan, self.records.get)

    @property
    def title(self) -> str:
        """The suite's title, or else its name."""
        return self.plan.title or self.plan.suite

    def of(self, board: Board, row: Row) -> list[PlannedCell]:
        """Return the cells of one row, in the suite's order."""
        return [c for c in self.plan.cells if (c.dataset, c.method) == (board.dataset, row.method)]

    def page(self, board: Board, row: Row) -> str:
        """Return the path of a row's page: unique, of safe characters."""
        own = digest([self.plan.suite, board.dataset, row.method])[:8]
        return f"{_slug(self.plan.suite)}/{_slug(board.dataset)}-{_slug(row.method)}-{own}.html"

    def again(self, key: str) -> str:
        """Return the command that runs only the cell with this key, even if it has already run."""
        return shlex.join(["bench", "run", *self.words, "--only", key[:12]])


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-") or "x"
