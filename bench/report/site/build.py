"""Builds the whole site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.records.store import Store
from bench.report.site.folder import Folder
from bench.report.site.index import index_page
from bench.report.site.method import MethodPage
from bench.report.site.shared import Shared
from bench.report.site.suite import SiteSuite

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Built:
    """What a build left."""

    pages: int
    files: int
    bytes: int
    not_shown: list[str]
    """What could not be shown, and why."""


def build_site(
    suites: Sequence[SiteSuite],
    store: Store,
    out: Path,
    projection: str,
    max_points: int,
    progress: Progress,
) -> Built:
    """Write the site into a folder: the same records and artefacts give the same bytes.

    Raises
    ------
    DataError : the folder holds other files.
    Damaged : a record in which a bit flipped.
    """
    folder = Folder(out)
    pages = [(s, board, row) for s in suites for board in s.board.boards for row in board.rows]
    first = index_page(suites)
    folder.begin()
    shared = Shared(folder, projection, max_points)
    not_shown: list[str] = []
    for done, (suite, board, row) in enumerate(pages, 1):
        drawn = MethodPage(suite, board, row, store, shared)
        folder.write(suite.page(board, row), drawn.draw())
        not_shown += drawn.not_shown
        progress(done, len(pages), "pages")
    folder.write("index.html", first)
    folder.finish()
    return Built(len(pages) + 1, len(folder.sizes), sum(folder.sizes.values()), not_shown)
