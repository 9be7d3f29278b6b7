"""What a table format is, and how one is found: a file of `formats/`, an entry point, or a user's file.

A user's format is a Python file with one subclass of `TableFormat`, named where it is used
(`bench table SUITE --format ./my_format.py`), or an entry point of the group `cutjoin.table_formats`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from bench.adapters.sockets import Socket, subclasses_of
from bench.errors import AdapterError, CutjoinError

if TYPE_CHECKING:
    from bench.report.tables.against import PublishedComparison as Published
    from bench.report.tables.comparison import Comparison as Tested
    from bench.report.tables.layout import Block, Layout, Sheet
    from bench.report.tables.leaderboard import Leaderboard


@dataclass(frozen=True)
class Screen:
    """Where a table is printed, if it does not go into a file."""

    width: int
    """Characters of a line."""
    is_terminal: bool
    """False for a pipe."""


@dataclass(frozen=True)
class TableContent:
    """What a table shows."""

    board: Leaderboard
    """Every number, by dataset and method."""
    layout: Layout | None = None
    """As the suite declares it; None for the default."""
    tests: Sequence[Tested] | None = None
    """Paired tests of all pairs of methods; None if nobody asked for them."""
    reference: str | None = None
    """Name of the published table that the suite's table names."""
    screen: Screen | None = None
    """None if it goes into a file."""

    def blocks(self) -> list[Block]:
        """Return the tests, as blocks that follow the table."""
        from bench.report.tables.comparison import block

        return [block(one) for one in self.tests or ()]

    def sheet(self) -> Sheet:
        """Return the table laid out: rows and columns of text with their marks, and the notes below."""
        from bench.report.tables.layout import arrange

        return arrange(self.board, self.layout, self.blocks())


class TableFormat(ABC):
    """Writes tables as text."""

    suffix: ClassVar[str]
    """How names of its files end, without the dot, e.g. "tex"."""
    after_run: ClassVar[bool] = False
    """Whether `bench run` writes the leaderboard in it."""
    on_screen: ClassVar[bool] = False
    """Whether it depends on the terminal, so that no files are written in it."""

    @abstractmethod
    def render(self, content: TableContent) -> str:
        """Return the text of a table."""

    def render_published(self, comparisons: Sequence[Published], screen: Screen | None) -> str | None:
        """Return our numbers beside published ones as text; None if this format does not show them."""
        return None


@dataclass(frozen=True)
class NamedFormat:
    """A table format with the name it was requested by. Errors of a user's format are `AdapterError`."""

    use: str
    format: TableFormat
    is_built_in: bool

    @property
    def suffix(self) -> str:
        """How names of its files end, without the dot."""
        return self.format.suffix

    def render(self, content: TableContent) -> str:
        """Return the text of a table."""
        try:
            return self._checked(self.format.render(content))
        except CutjoinError:
            raise
        except Exception as e:
            raise self._failure(e) from e

    def render_published(self, comparisons: Sequence[Published], screen: Screen | None = None) -> str | None:
        """Return our numbers beside published ones as text; None if this format does not show them."""
        try:
            text = self.format.render_published(comparisons, screen)
            return text if text is None else self._checked(text)
        except CutjoinError:
            raise
        except Exception as e:
            raise self._failure(e) from e

    def _checked(self, text: object) -> str:
        if not isinstance(text, str):
            raise AdapterError(f"table format {self.use!r} returned {type(text).__name__} instead of text")
        return text

    def _failure(self, error: Exception) -> Exception:
        """Return a user's error as a sentence; one of ours keeps its traceback."""
        if self.is_built_in:
            return error
        return AdapterError(f"table format {self.use!r} failed: {type(error).__name__}: {error}")


TABLE_FORMATS: Socket[type[TableFormat]] = Socket(
    "table_format", "bench.report.tables.formats", "TableFormat", subclasses_of(TableFormat)
)


def load(use: str, folder: Path | None = None) -> NamedFormat:
    """Return a format by its name or Python file.

    Raises
    ------
    AdapterError : unknown name (with the nearest one), a file that cannot be imported or does not hold
        exactly one format, or a format without a proper suffix.
    """
    found = TABLE_FORMATS.load(use, folder)
    try:
        suffix, format = getattr(found.value, "suffix", None), found.value()
    except Exception as e:
        raise AdapterError(f"table format {use!r} cannot be created: {type(e).__name__}: {e}") from e
    if not isinstance(suffix, str) or not re.fullmatch(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)*", suffix):
        raise AdapterError(f"table format {use!r}: `suffix` must be text such as 'tex' (got {suffix!r})")
    return NamedFormat(use, format, found.origin == "built in")


def for_files() -> list[NamedFormat]:
    """Return every format in which files are written, by name."""
    found = [load(name) for name in TABLE_FORMATS.names()]
    return [f for f in found if not f.format.on_screen]
