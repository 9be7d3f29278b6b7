"""The diagram shows the ranks and groups that the tests give, and says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from bench.errors import DataError
from bench.report.drawing.style import RIGHT, applied, write
from bench.report.figures.critical_difference import CriticalDifference
from bench.report.tables.ranks import Ranking, rank_over_datasets
from tests.report.tables.test_comparison import DEMSAR, over_datasets

draw = CriticalDifference().draw
CLEAR = [[0.9, 0.5, 0.1 + i / 100, 0.05] for i in range(12)]


def test_bars_and_names_are_those_of_the_ranking(tmp_path: Path) -> None:
    board = over_datasets(CLEAR)
    ranking = rank_over_datasets(board, "acc")
    assert isinstance(ranking, Ranking)
    with applied():
        drawing = draw(board, "acc")
        once = write(drawing, tmp_path / "a")
        again = write(draw(board, "acc"), tmp_path / "b")
    assert [f.read_bytes() for f in once] == [f.read_bytes() for f in again]
    (ax,) = drawing.figure.axes
    bars = [line for line in ax.lines if line.get_linewidth() == 3 and line.get_color() == RIGHT]
    found = []
    for bar in bars:
        ends = np.asarray(bar.get_xdata(), float)
        inside = [i for i, r in enumerate(ranking.ranks) if ends.min() <= r <= ends.max()]
        found.append((inside[0], inside[-1]))
    assert found == ranking.groups() == [(0, 1), (1, 2), (2, 3)]
    texts = " ".join(" ".join(t.get_text().split()) for t in drawing.figure.findobj(Text))
    for name, rank in zip(ranking.methods, ranking.ranks, strict=True):
        assert f"{name} {rank:.2f}" in texts or f"{rank:.2f} {name}" in texts
    assert "Nemenyi's test at 95 %" in texts
    assert "All data is generated." in texts


def test_without_a_difference_it_says_so() -> None:
    with applied():
        figure = draw(over_datasets([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.2, 0.3, 0.1]]), "acc").figure
    said = " ".join(" ".join(t.get_text().split()) for t in figure.findobj(Text))
    assert "shows no difference between the methods, so one bar joins all" in said
    assert "3 datasets are few" in said


def test_too_few_datasets_are_refused() -> None:
    with pytest.raises(DataError, match="need 3 datasets or more, not 2"), applied():
        draw(over_datasets(DEMSAR[:2]), "acc")
