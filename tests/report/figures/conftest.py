from __future__ import annotations

import pytest

from bench.stages.finished import FinishedCell
from tests.execute.runs import Bench
from tests.report.figures.runs import cells, finished


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return one finished run of the tiny suite. Read it only."""
    return finished(tmp_path_factory)


@pytest.fixture(scope="session")
def by_method(drawn: Bench) -> dict[str, FinishedCell]:
    """Return its cells by method."""
    return cells(drawn)
