"""What a figure is, and how one is found. One file = one figure = one name.

Those that ship are the files of `bench/report/figures/`. A user's own is a Python file that holds one
subclass of `Figure` or `SuiteFigure`, or an entry point of the group `cutjoin.figures`. The first line of
the file's docstring is what `bench figure --help` and `bench list` say of it. Imports nothing heavy.
"""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from bench.adapters.sockets import Socket
from bench.errors import AdapterError, CutjoinError, DataError

if TYPE_CHECKING:
    from bench.records.record import CellRecord
    from bench.report.drawing.style import Drawing, DrawOptions
    from bench.report.tables.leaderboard import Leaderboard
    from bench.stages.finished import FinishedCell

T = TypeVar("T")


@dataclass(frozen=True)
class FigureSummary:
    """What a figure says of itself."""

    name: str
    summary: str
    options: dict[str, str]
    """Options of `bench figure` that it heeds, and what each is for."""


class _Named:
    """What both kinds of figures share."""

    name: str = ""
    """The name of its file or entry point; set when it is found."""

    def about(self) -> FigureSummary:
        """Return the name, what the figure shows (from the docstrings), and the options that it heeds."""
        texts = (sys.modules[type(self).__module__].__doc__, type(self).__doc__)
        summary = "\n".join(inspect.cleandoc(text) for text in texts if text)
        return FigureSummary(self.name, summary, self._options())

    def _options(self) -> dict[str, str]:
        return {}


class Figure(_Named):
    """A figure of one finished cell."""

    by: ClassVar[str] = ""
    """What `--by` chooses, e.g. "column to colour by"; empty if it is of no use."""
    compares: ClassVar[bool] = False
    """Whether `--against` puts a second method beside the first."""

    def _options(self) -> dict[str, str]:
        against = {"--against": "a second method to put beside it"} if self.compares else {}
        return ({"--by": self.by} if self.by else {}) | against

    def unavailable_because(self, cell: FinishedCell) -> str | None:
        """Say why a cell has no such figure, as what follows the name of its method; None if it has one.

        Looks at the record and the adapters only: of all methods the best that has the figure is drawn.
        """
        return None

    def require(self, cell: FinishedCell) -> None:
        """Raise `DataError` if a cell has no such figure."""
        if reason := self.unavailable_because(cell):
            raise DataError(f"{cell.record.method}: {reason}")

    def draw(self, cell: FinishedCell, options: DrawOptions) -> Drawing:
        """Draw the figure of a cell.

        Parameters
        ----------
        cell : its record, and on demand its images, features, clusters...: an entry per scored image.
        options : `by` and `against`, as the user gave them; None where they were not given.

        Raises
        ------
        DataError : the data does not allow it; the text says why.
        """
        raise NotImplementedError

    def file_name(self, record: CellRecord, options: DrawOptions) -> str:
        """Return the name of its files, without a suffix and safe on any system."""
        words = [self.name, record.dataset, record.method]
        if options.against is not None:
            words += ["against", options.against.record.method]
        if options.by is not None:
            words += ["by", options.by]
        return f"{'-'.join(map(safe, words))}-s{record.seed}"


class SuiteFigure(_Named):
    """A figure of all datasets of a suite together."""

    def _options(self) -> dict[str, str]:
        return {"--by": "metric"}

    def draw(self, board: Leaderboard, metric: str) -> Drawing:
        """Draw the figure of a suite.

        Parameters
        ----------
        board : every mean with its interval: `board.boards`, one per dataset, have `rows`, one per method.
        metric : what `--by` chose, by default the suite's first.

        Raises
        ------
        DataError : the records do not allow it; the text says why.
        """
        raise NotImplementedError

    def file_name(self, metric: str) -> str:
        """Return the name of its files, without a suffix and safe on any system."""
        return f"{safe(self.name)}-{safe(metric)}"


AnyFigure: TypeAlias = Figure | SuiteFigure


def _fits(value: object, module: str) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Figure | SuiteFigure)
        and value.__module__ == module
        and value not in (Figure, SuiteFigure)
    )


FIGURES: Socket[type[AnyFigure]] = Socket("figure", "bench.report.figures", "Figure", _fits)


def find(use: str, folder: Path | None = None) -> AnyFigure:
    """Return the figure of a name, or of a user's file: a path that ends in .py, relative to `folder`.

    Raises `AdapterError` for an unknown name, and for a file that cannot be imported or holds no figure.
    """
    cls = FIGURES.load(use, folder).value
    name = Path(use).stem if use.endswith(".py") else use
    figure = guarded(cls, name, lambda: cls())
    figure.name = name
    return figure


def guarded(cls: type, name: str, call: Callable[[], T]) -> T:
    """Call something of a figure. What a user's own code raises becomes a sentence with the line in its file.

    Raises `AdapterError` instead of any exception of a figure that does not ship with this package.
    """
    try:
        return call()
    except CutjoinError:
        raise
    except Exception as e:
        if cls.__module__.startswith("bench."):
            raise
        file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
        lines = [f.lineno for f in traceback.extract_tb(e.__traceback__) if f.filename == file]
        where = f"{Path(file).name}, line {lines[-1]}: " if lines else ""
        why = " ".join(f"{type(e).__name__}: {e}".split())
        raise AdapterError(f"figure {name!r} failed: {where}{why}") from e


def safe(name: str) -> str:
    """Return a name as part of a file name on any system."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:60] or "x"
