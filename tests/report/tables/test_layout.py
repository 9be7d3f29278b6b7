"""What the suite declares is what stands in the table, in every format; HTML and LaTeX are whole."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given

from bench.metrics.names import METRICS, VERSION
from bench.records.results import PlannedCell, PlanOnDisk
from bench.report.tables.comparison import block, compare
from bench.report.tables.layout import Layout, arrange, declared
from bench.report.tables.leaderboard import Leaderboard, build
from bench.report.tables.render import html, latex, markdown, notes, to_json
from bench.suite.schema import Table
from tests.records.test_record import record
from tests.report.tables.test_leaderboard import leaderboard
from tests.report.tables.test_render import HOSTILE, NAMES, check_latex, hostile, markdown_rows, shown, table


class Page(HTMLParser):
    """Collects cells, and checks that every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[tuple[str, dict[str, str | None], str]]] = []
        self.names: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "meta":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            tag, attrs, text = self.rows[-1][-1]
            self.rows[-1][-1] = (tag, attrs, text + data)


def two_datasets() -> tuple[PlanOnDisk, dict[str, object]]:
    """A is planned on both datasets, B on X only; A's second seed failed on Y."""
    planned = [PlannedCell(f"{d}{m}{s}", d, m, s, False, d == "Y") for d in "XY" for m in "AB" for s in (0, 1)
               if (d, m) != ("Y", "B")]  # fmt: skip
    records: dict[str, object] = {
        c.key: record(dataset=c.dataset, method=c.method, seed=c.seed,
                      metrics=dict.fromkeys(METRICS, {"A": 0.123456, "B": 0.5}[c.method]))
        for c in planned
    }  # fmt: skip
    records["YA1"] = record(status="timeout", error="late", metrics={}, intervals={})
    plan = PlanOnDisk("s", "T", ["acc", "vi"], "own_cluster", 0.95, [], planned)
    return plan, records


def laid_out(**changes: object) -> tuple[Leaderboard, Layout]:
    plan, records = two_datasets()
    return declared(plan, Table(id="t", **changes).model_dump(mode="json"), records.get)  # type: ignore[arg-type]


def test_by_default_a_block_of_methods_per_dataset() -> None:
    sheet = arrange(*laid_out())
    size = "(9 images, no classes known)"
    assert [b.heading for b in sheet.blocks] == [f"X {size}", f"Y {size} · synthetic"]
    assert [[row[1].text for row in b.rows] for b in sheet.blocks] == [["B", "A"], ["A"]]
    a = sheet.blocks[1].rows[0]
    assert (a[0].text, a[2].text, a[2].incomplete, a[-1].text) == (
        "",
        "0.123",
        True,
        "1 of 2 seeds: 1 timeout",
    )


def test_datasets_in_rows() -> None:
    sheet = arrange(*laid_out(rows="dataset"))
    assert [b.heading for b in sheet.blocks] == ["A", "B"]
    assert [row[1].text[:1] for row in sheet.blocks[0].rows] == ["X", "Y"]


def test_datasets_side_by_side() -> None:
    board, layout = laid_out(group="columns", columns=["acc"], units=False)
    (one,) = arrange(board, layout).blocks
    assert [c.title for c in one.columns] == ["method", "ACC", "ACC", "remarks"]
    assert [c.group[:1] for c in one.columns] == ["", "X", "Y", ""]
    assert [[e.text for e in row[:3]] for row in one.rows] == [
        ["A", "0.123", "0.123"],
        ["B", "0.500", "not planned"],
    ]
    assert one.rows[0][-1].text == "Y: 1 of 2 seeds: 1 timeout"
    check_latex(latex(board, layout))
    assert r"\cmidrule(lr){2-2} \cmidrule(lr){3-3}" in latex(board, layout)
    heads = [r for r in Page(html(board, layout)).rows if any(a.get("scope") == "colgroup" for _, a, _ in r)]
    assert [a.get("colspan") for _, a, _ in heads[0]] == ["1", "1", "1", "1"]
    assert "synthetic" in shown(board)


def test_methods_side_by_side() -> None:
    (one,) = arrange(*laid_out(group="columns", rows="dataset", columns=["acc"])).blocks
    assert [c.group for c in one.columns] == ["", "A", "B", ""]
    assert [[e.text for e in row[1:3]] for row in one.rows] == [["0.123", "0.500"], ["0.123", "not planned"]]


def test_decimals_units_marks_and_intervals() -> None:
    sheet = arrange(*laid_out(decimals={"acc": 1}, units=False, marks=["best"], intervals=False))
    b, a = sheet.blocks[0].rows
    assert [c.title for c in sheet.blocks[0].columns[2:4]] == ["ACC", "VI"]
    assert ([e.text for e in a[2:4]], a[2].spread) == (["0.1", "0.123"], "")
    assert (b[2].best, a[2].second) == (True, False)
    assert "second" not in " ".join(sheet.notes)
    assert arrange(*laid_out(decimals=5)).blocks[0].rows[1][2].text == "0.12346"


def test_tables_of_older_plans_have_the_defaults() -> None:
    plan, records = two_datasets()
    old = {"id": "t", "caption": "", "columns": ["acc"], "datasets": [], "reference": None}
    assert declared(plan, old, records.get)[1] == Layout()  # type: ignore[arg-type]


def test_the_notes_say_what_was_left_out_and_how_intervals_are_made() -> None:
    board = leaderboard({"A": [0.5, 0.6]}, metrics_version=VERSION - 1)
    said = notes(board)
    assert f"2 records scored with another version of the metrics than {VERSION} left out" in said
    assert "q √(s²/n + b²)" in said
    assert "One seed says nothing about others" in notes(leaderboard({"A": [0.5]}))


def test_json_has_all_that_the_tables_say() -> None:
    said = json.loads(json.dumps(to_json(table(synthetic=True))))
    (one,) = said["boards"]
    assert one["synthetic"] is True
    a = next(r for r in one["rows"] if r["method"] == "A")
    assert a["numbers"]["acc"] == {
        "mean": 0.9, "low": 0.85, "high": 0.95, "best": True, "second": False, "trivial": False, "seeds": 2,
        "unsure": False,
    }  # fmt: skip
    c = next(r for r in one["rows"] if r["method"] == "C")
    assert (c["statuses"], c["complete"]) == ({"ok": 1, "timeout": 1}, False)
    assert c["remarks"][0] == "1 of 2 seeds: 1 timeout"


# HTML and LaTeX


def test_html_is_one_page_with_headers_marks_and_notes() -> None:
    page = Page(html(table()))
    assert {"html", "caption", "table", "thead", "tbody", "strong"} < page.names
    assert not page.names & {"script", "img", "link", "iframe"}
    head, *rows = page.rows
    assert all(tag == "th" and attrs["scope"] == "col" for tag, attrs, _ in head)
    by_name = {row[1][2]: row for row in rows}
    assert all(row[1][:2] == ("th", {"scope": "row", "class": "left"}) for row in rows)
    assert by_name["A"][2][2] == "0.900 ± 0.050"
    assert by_name["C"][2][2] == "(0.950)"
    assert by_name["B"][2][2] == "0.400 ± 0.000°"
    assert by_name["D"][2][2] == "error, missing"
    text = html(table())
    assert "http" not in text
    for marked in (
        '<strong title="best">0.900 <span class="spread">± 0.050</span></strong>',
        '<span class="second" title="second">0.400 <span class="spread">± 0.000</span></span>'
        '<span title="not better than the best trivial baseline">°</span>',
        '<i class="baseline" title="trivial baseline">T</i>',
        '<span title="a mean of only some of the planned seeds">(0.950)</span>',
    ):
        assert marked in text


@given(NAMES)
def test_no_name_breaks_out_of_html(name: str) -> None:
    page = Page(html(hostile(name)))
    assert [len(r) for r in page.rows] == [6] * 4
    assert "script" not in page.names


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex here; the structure is tested anyway")
def test_latex_compiles_with_any_name(tmp_path: Path) -> None:
    cells = {name: [0.5, 0.4] for name in HOSTILE} | {"é Ł ∞": [0.3, "timeout"]}
    board = leaderboard(
        cells, ("acc", "vi"), trivial={"t": [0.1, 0.1]}, dataset="日本 & $x$ [a]", synthetic=True
    )
    text = latex(board) + latex(board, Layout(group="columns"), [block(c) for c in compare(board)])
    begin = r"\documentclass{article}\usepackage[landscape]{geometry}\usepackage{booktabs}\begin{document}"
    (tmp_path / "t.tex").write_text(f"{begin}\n{text}\n\\end{{document}}\n", encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")
    assert (tmp_path / "t.pdf").stat().st_size > 10_000


def test_the_columns_of_every_latex_row_are_those_of_its_table() -> None:
    for layout in (Layout(), Layout(group="columns"), Layout(rows="dataset")):
        columns = 0
        for line in latex(table(), layout).splitlines():
            if line.startswith(r"\begin{tabular}"):
                columns = len(line.removeprefix(r"\begin{tabular}").strip("{}"))
            elif line.endswith(r"\\") and "multicolumn" not in line:
                assert line.replace(r"\&", "").count("&") == columns - 1


def test_markdown_with_groups_names_them_in_the_header() -> None:
    rows = markdown_rows(markdown(*laid_out(group="columns", columns=["acc"])))
    assert rows[0][1] == "X (9 images, no classes known): ACC"
    assert {len(r) for r in rows} == {4}


def test_a_plan_without_cells_is_an_empty_table() -> None:
    board = build(PlanOnDisk("s", "T", ["acc"], "drop", 0.95, [], []), lambda _: None)
    for layout in (Layout(), Layout(group="columns"), Layout(rows="dataset")):
        assert arrange(board, layout).blocks == []
        assert Page(html(board, layout)).rows == []
