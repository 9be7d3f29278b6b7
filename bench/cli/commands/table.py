"""`bench table`: the leaderboard, or a table that the suite declares, in one of the formats."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.results import folder_name, opened
from bench.report.tables.kept import Kept

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bench.report.tables.comparison import Comparison
    from bench.report.tables.leaderboard import Leaderboard

FORMATS = ("terminal", "md", "csv", "latex", "html", "json")
_PIPE_WIDTH = 160
_LOOKS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


def show_table(
    name: str,
    profile: str | None,
    base: Path,
    table: str | None,
    format: str,
    store: Path | None = None,
    *,
    pairs: bool = False,
) -> None:
    """Print a table, with `pairs` followed by tests of all pairs of methods.

    What was published goes below it, for readers: on a terminal and in Markdown. Records scored with another
    version of the metrics are scored again from the store. Raises `DataError` for names not known.
    """
    folder = base / folder_name(name, profile)
    width = os.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH
    looks = [str(width), str(sys.stdout.isatty()), *(os.environ.get(n, "") for n in _LOOKS)]
    wish = [table or "", format, str(pairs), *(looks if format == "terminal" else ())]
    kept = Kept(folder, wish)
    text = kept.read()
    if text is None:
        with _uncollected():
            text, lasting = _drawn(name, profile, base, table, format, store, width, pairs=pairs)
        if lasting:
            kept.write(text)
    sys.stdout.write(text)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage: what thousands of records become lives until it is printed, which is soon."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def _drawn(
    name: str,
    profile: str | None,
    base: Path,
    table: str | None,
    format: str,
    store: Path | None,
    width: int,
    *,
    pairs: bool,
) -> tuple[str, bool]:
    """Return the text of a table, and whether it stays so as long as the records do."""
    from bench.errors import DataError
    from bench.records.store import Store
    from bench.report.tables import comparison, render
    from bench.report.tables.layout import Layout, declared
    from bench.report.tables.leaderboard import build
    from bench.stages.rescore import up_to_date
    from bench.util.text import suggest

    if format not in FORMATS:
        raise DataError(f"--format: no format {format!r}; {suggest(format, list(FORMATS))}")
    results, plan = opened(name, profile, base)
    known = {str(t["id"]): t for t in plan.tables}
    if table is not None and table not in known:
        raise DataError(f"{plan.suite} has no table {table!r}; {suggest(table, sorted(known))}")
    record_of = up_to_date(results, Store(store) if store is not None else None)
    published: str | None = None
    if table is None:
        board, layout = build(plan, record_of), Layout()
    else:
        board, layout = declared(plan, known[table], record_of)
        published = known[table]["reference"]
    compared = comparison.compare(board) if pairs else []
    extra = [comparison.block(c) for c in compared]
    if format == "csv":
        text = comparison.comma_separated(compared) if pairs else render.comma_separated(board)
    elif format == "json":
        text = _json(board, compared if pairs else None)
    elif format == "terminal":
        text = _printed(render.terminal(board, width, layout, extra), published, width)
    else:
        text = {"md": render.markdown, "latex": render.latex, "html": render.html}[format](
            board, layout, extra
        )
        if published and format == "md":
            from bench.records import reference

            text += f"\n{reference.markdown(published)}"
    return text, not board.outdated


def _json(board: Leaderboard, compared: list[Comparison] | None) -> str:
    import json

    from bench.report.tables import comparison, render

    body = render.to_json(board)
    if compared is not None:
        body["comparisons"] = [comparison.to_json(c) for c in compared]
    return json.dumps(body) + "\n"


def _printed(parts: Sequence[RenderableType], published: str | None, width: int) -> str:
    """Return what a terminal of the kind that stdout is, or a pipe, is to get."""
    import io

    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True if sys.stdout.isatty() else None)
    for part in parts:
        console.print(part)
    if published:
        from bench.records import reference

        console.print(reference.terminal(published))
    return out.getvalue()
