"""`leaderboard`: the numbers of the tables, safe to look at, and easy to save."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import cutjoin
from cutjoin import AdapterError, FinishedRun, UsageError
from tests.conftest import Finished

FORMAT = '''\
"""Names of the methods."""
from cutjoin import TableContent, TableFormat


class Names(TableFormat):
    """One per line."""

    suffix = "txt"

    def render(self, content: TableContent) -> str:
        return "\\n".join(row.method for board in content.board.boards for row in board.rows)
'''


def test_a_frame_has_the_numbers_of_the_command(finished: Finished) -> None:
    frame = cutjoin.leaderboard(finished.results / "tiny").to_frame()
    (board,) = json.loads(finished.bench("table", str(finished.suite), "--json").stdout)["boards"]
    assert list(frame["method"]) == [row["method"] for row in board["rows"]]
    for (_, row), shown in zip(frame.iterrows(), board["rows"], strict=True):
        assert row["dataset"] == board["dataset"]
        assert (None if pd.isna(row["rank"]) else row["rank"]) == shown["rank"]
        for name, number in shown["numbers"].items():
            found = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
            assert found == [number["mean"], number["low"], number["high"]]
    table = list(csv.DictReader(io.StringIO(cutjoin.leaderboard(finished.results / "tiny").to("csv"))))
    assert [row["method"] for row in table] == list(frame["method"])


def test_the_same_by_folder_suite_name_and_run(finished: Finished) -> None:
    by_folder = cutjoin.leaderboard(finished.results / "tiny")
    suite = cutjoin.load_suite(finished.suite)
    for found in (
        cutjoin.leaderboard(suite, results=finished.results),
        cutjoin.leaderboard("tiny", results=finished.results),
        cutjoin.leaderboard(str(finished.suite), results=finished.results),
    ):
        assert str(found) == str(by_folder)


def test_choices(finished: Finished) -> None:
    where = finished.results / "tiny"
    frame = cutjoin.leaderboard(where, metrics=["vi"], methods=["pixels*"], sort="suite").to_frame()
    assert list(frame["method"])[:2] == ["pixels + kmeans", "pixels + ward"]
    assert "all in one" in set(frame["method"])
    assert not frame["method"].str.startswith("polar").any()
    assert {"vi", "vi_low", "vi_high"} <= {*frame.columns}
    assert "acc" not in frame
    declared = cutjoin.leaderboard(where, table="short")
    assert {"nmi", "vi"} <= {*declared.to_frame().columns}
    assert "VI" in str(declared)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"table": "shrt"}, "did you mean 'short'"),
        ({"metrics": ["amii"]}, "did you mean 'ami'"),
        ({"metrics": ["cramers_v"]}, "no metric named 'cramers_v'"),
        ({"sort": "amii"}, "did you mean 'ami'"),
        ({"datasets": ["tiny"]}, "known: Tiny plankton|did you mean 'Tiny plankton'"),
        ({"methods": ["dino*"]}, r"no method 'dino\*'"),
    ],
)
def test_wrong_choices(finished: Finished, how: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        cutjoin.leaderboard(finished.results / "tiny", **how)


def test_where_nothing_has_run(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing has run into"):
        cutjoin.leaderboard("tiny", results=tmp_path)
    with pytest.raises(UsageError, match="did you mean 'tiny'"):
        cutjoin.leaderboard("tinny", results=finished.results)


def test_html_is_safe_and_touches_nothing_else(real: FinishedRun) -> None:
    html = real.leaderboard()._repr_html_()
    assert "<script" not in html
    assert "k-means &lt;b&gt;&amp;" in html
    assert "<b>&" not in html
    style = html.partition("</style>")[0].partition("<style>")[2]
    assert all(rule.strip().startswith(".cutjoin ") for rule in style.strip().splitlines())


def test_latex_and_markdown(real: FinishedRun) -> None:
    board = real.leaderboard()
    assert r"k-means <b>\&" in board.to_latex() or r"\textless" in board.to_latex()
    assert "\\toprule" in board.to_latex()
    assert "| " in board.to_markdown()
    assert board.to("latex") == board.to_latex()


def test_print_shows_a_table_without_colours(finished: Finished) -> None:
    text = str(cutjoin.leaderboard(finished.results / "tiny"))
    assert "polar_fft + ward" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_save(finished: Finished, tmp_path: Path) -> None:
    board = cutjoin.leaderboard(finished.results / "tiny")
    for name, format in (("a.csv", "csv"), ("a.tex", "latex"), ("a.md", "md"), ("a.html", "html")):
        assert board.save(tmp_path / name) == tmp_path / name
        assert (tmp_path / name).read_text("utf-8") == board.to(format)
    with pytest.raises(UsageError, match=r"no table format for \.txt"):
        board.save(tmp_path / "a.txt")


def test_a_format_of_ones_own(finished: Finished, tmp_path: Path) -> None:
    (tmp_path / "names.py").write_text(FORMAT)
    board = cutjoin.leaderboard(finished.results / "tiny")
    assert board.to(str(tmp_path / "names.py")).splitlines()[0].startswith("polar_fft")
    with pytest.raises(AdapterError, match="did you mean 'latex'"):
        board.to("latx")
