"""The leaderboard of a suite, as files beside its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import AdapterError, CutjoinError
from bench.records.record import CellRecord
from bench.records.results import Results
from bench.report.tables import tableformat
from bench.report.tables.leaderboard import Leaderboard, build
from bench.report.tables.tableformat import NamedFormat, TableContent
from bench.util.durable import write_whole


@dataclass(frozen=True)
class Written:
    """A leaderboard, its files, and why formats of other packages have none."""

    board: Leaderboard
    files: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def suffixes(self) -> str:
        """Return how the names of the files go on after `leaderboard.`, as a shell would expand it."""
        return f"{{{','.join(p.name.removeprefix('leaderboard.') for p in self.files)}}}"


def write_leaderboard(results: Results, records: dict[str, CellRecord | None]) -> Written:
    """Draw the leaderboard from the records into `leaderboard.md` and so on, in each format meant for it.

    A format of another package that fails costs the run nothing but its own file.
    """
    written = Written(build(results.read_plan(), records.get))
    content = TableContent(written.board)
    formats = []
    for use in tableformat.TABLE_FORMATS.names():
        try:
            formats.append(tableformat.load(use))
        except AdapterError as e:
            written.problems.append(str(e))
    for one in sorted(formats, key=lambda f: not f.is_built_in):
        if one.format.after_run:
            _write(one, content, results.folder, written)
    return written


def _write(one: NamedFormat, content: TableContent, folder: Path, written: Written) -> None:
    path = folder / f"leaderboard.{one.suffix}"
    if path in written.files:
        written.problems.append(f"table format {one.use!r}: another format writes {path.name}")
        return
    try:
        text = one.render(content)
    except CutjoinError as e:
        written.problems.append(str(e))
        return
    write_whole(path, text.encode())
    written.files.append(path)
