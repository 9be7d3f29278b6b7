"""Every format says the same, and no name breaks out of its cell."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from bench.report.tables.leaderboard import Leaderboard
from bench.report.tables.render import comma_separated, heading, html, latex, markdown, notes, terminal
from tests.report.tables.test_leaderboard import Cells, leaderboard

CELLS: Cells = {"A": [(0.9, 0.85, 0.95)] * 2, "B": [0.4, 0.4], "C": [0.95, "timeout"], "D": ["error", None]}
TRIVIAL: Cells = {"T": [0.5, 0.5]}
HOSTILE = [
    "<script>alert(1)</script>", "a|b", "a_b", "100 %", "=cmd()", "+1", "-1", "@x", "\t=x", "two\nlines",
    "\\", "a\\", "$x^2$", "{", "}", "~", "#", "&amp;", "`code`", "*bold*", "[link](http://x)", "\x1b[31mred",
    "[red]x[/red]", "[/]", '"', "'", ",", ";", "° ± “x”", "日本語", "\\input{/etc/passwd}",
    "\u202eabc", "\x00", ":smile:", "\r",
]  # fmt: skip


def table(**changes: object) -> Leaderboard:
    return leaderboard(CELLS, ("acc", "vi"), trivial=TRIVIAL, **changes)  # type: ignore[arg-type]


def shown(board: Leaderboard, width: int = 160) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    for part in terminal(board, width):
        console.print(part)
    return out.getvalue()


def markdown_rows(text: str) -> list[list[str]]:
    lines = [x for x in text.splitlines() if x.startswith("|")]
    return [[c.strip() for c in re.split(r"(?<!\\)\|", x)[1:-1]] for x in lines]


def test_markdown():
    rows = markdown_rows(markdown(table()))
    assert rows[0] == ["rank", "method", "ACC", r"VI \[bits\]", "clusters", "seconds", "remarks"]
    by_name = {r[1]: r for r in rows[2:]}
    assert by_name["A"][:3] == ["1", "A", "**0.900 ± 0.050**"]
    assert by_name["B"][:4] == ["2", "B", "*0.400 ± 0.000*°", "**0.400 ± 0.000**"]
    assert by_name["C"][:3] == ["", "C", "(0.950)"]
    assert by_name["C"][6] == "1 of 2 seeds: 1 timeout"
    assert by_name["D"][2:4] == ["error, missing"] * 2
    assert by_name["*T*"][0] == ""


def test_csv_has_everything_in_full_precision():
    rows = list(csv.DictReader(io.StringIO(comma_separated(table()))))
    assert [r["method"] for r in rows] == ["C", "A", "T", "B", "D"]
    a = rows[1]
    assert (a["acc"], a["acc_low"], a["rank"], a["seeds_planned"], a["seeds_scored"]) == (
        "0.9",
        "0.85",
        "1",
        "2",
        "2",
    )
    assert rows[0]["rank"] == rows[4]["acc"] == ""
    assert (rows[2]["trivial"], a["trivial"], a["synthetic"]) == ("True", "False", "False")


def test_latex():
    text = latex(table())
    check_latex(text)
    assert r" & \emph{T} & " in text
    assert r"1 & A & \textbf{0.900 $\pm$ 0.050}" in text
    assert r"\underline{0.400 $\pm$ 0.000}$^{\circ}$" in text
    assert " & C & (0.950) " in text
    assert "error, missing & error, missing" in text


def test_a_terminal_shows_the_intervals_if_there_is_room():
    assert "0.900 ±0.050" in shown(table(), 160)
    assert "±0.050" not in shown(table(), 70)
    assert "0.900" in shown(table(), 70)


@pytest.mark.parametrize("render", [markdown, latex, comma_separated, shown, html])
def test_synthetic_data_is_called_so(render):
    assert "synthetic" in render(table(synthetic=True)).lower()
    assert heading(table(synthetic=True).boards[0]) == "D (9 images, 3 classes) · synthetic"
    assert heading(table().boards[0]) == "D (9 images, 3 classes)"


@pytest.mark.parametrize(("level", "text"), [(0.95, " 95 % interval"), (0.999, " 99.9 % interval")])
def test_the_notes_say_what_the_numbers_are(level: float, text: str):
    said = notes(table(level=level), "acc")
    assert text in said
    assert "Sorted by ACC. Numbers are means over 2 seeds" in said
    assert "cluster of its own" in said


@pytest.mark.parametrize("render", [markdown, latex, comma_separated, shown, html])
def test_the_same_records_give_the_same_bytes(render):
    assert render(table()) == render(table())


# Hostile names


def hostile(name: str) -> Leaderboard:
    return leaderboard({name: [0.5], "another": [0.4]}, trivial={"trivial": [0.1]}, dataset=name)


NAMES = st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=30).filter(
    lambda name: name not in ("another", "trivial")
)


@given(NAMES)
def test_no_name_breaks_out_of_markdown(name: str):
    text = markdown(hostile(name))
    rows = markdown_rows(text)
    assert [len(r) for r in rows] == [6] * 5
    assert text.isprintable() or set(text) - {"\n"} <= {c for c in text if c.isprintable() or c == "\n"}
    assert "<" not in text
    body = rows[2][1]
    assert re.sub(r"\\(.)", "", body).count("*") == re.sub(r"\\(.)", "", body).count("`") == 0


@given(NAMES)
def test_no_name_breaks_out_of_latex(name: str):
    text = latex(hostile(name))
    check_latex(text)
    rows = [x for x in text.splitlines() if x.endswith(r"\\")]
    assert [len(re.split(r"(?<!\\)&", r)) for r in rows] == [6] * 4


@given(NAMES)
def test_no_name_breaks_out_of_csv_or_becomes_a_formula(name: str):
    rows = list(csv.reader(io.StringIO(comma_separated(hostile(name)), newline="")))
    assert len({len(r) for r in rows}) == 1
    assert len(rows) == 4
    assert not any(cell.lstrip()[:1] in ("=", "+", "-", "@") for r in rows for cell in r if not _number(cell))
    assert not name.isprintable() or name in {rows[1][3], rows[1][3].removeprefix("'")}
    assert all(cell.isprintable() for r in rows for cell in r)


@pytest.mark.parametrize("name", ["-2+3+cmd", "+2+3", "=1+2", "@SUM(A1)", " -2+3+cmd", "\t=1"])
def test_a_name_that_a_spreadsheet_would_compute_is_quoted(name: str):
    rows = list(csv.reader(io.StringIO(comma_separated(hostile(name)), newline="")))
    assert rows[1][3].startswith("'")
    assert name.strip() in rows[1][3]


@given(NAMES)
def test_no_name_controls_the_terminal(name: str):
    text = shown(hostile(name), 200)
    assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_a_name_is_still_readable():
    for render in (markdown, latex, comma_separated, shown, html):
        text = render(hostile("a_b"))
        assert "a_b" in text.replace("\\", "")
    assert "[red]x[/red]" in shown(hostile("[red]x[/red]"))
    assert "a\\" in shown(hostile("a\\"))


def check_latex(text: str) -> None:
    """Check that braces, math and environments close, and that specials are escaped."""
    lines = text.splitlines()
    assert lines[0].startswith("% ")
    depth, math, stack = 0, False, []
    rest = "\n".join(lines[1:])
    tokens = re.findall(r"\\[a-zA-Z]+|\\.|.", rest, re.S)
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token in (r"\begin", r"\end"):
            name = re.match(r"\{(\w+)\}", "".join(tokens[i + 1 : i + 20]))
            assert name
            if token == r"\begin":
                stack.append(name[1])
            else:
                assert stack.pop() == name[1]
        elif token.startswith("\\") and len(token) > 2:
            assert token in KNOWN, token
        elif token == "$":
            math = not math
        elif token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            assert depth >= 0
        elif token == "^":
            assert math
        elif token == "&":
            assert stack[-1] == "tabular"
        else:
            assert token not in "#%_~", token
        assert not (math and token == "\n")
        i += 1
    assert (depth, math, stack) == (0, False, [])


KNOWN = {
    *(
        r"\begin",
        r"\end",
        r"\caption",
        r"\toprule",
        r"\midrule",
        r"\bottomrule",
        r"\textbf",
        r"\emph",
        r"\pm",
    ),
    *(r"\underline", r"\multicolumn", r"\cmidrule", r"\par", r"\smallskip", r"\parbox", r"\linewidth"),
    *(r"\footnotesize", r"\centering", r"\small", r"\surd", r"\ldots", r"\textbar"),
    *(r"\ifdefined", r"\Uchar", r"\else", r"\fi"),
    *(r"\circ", r"\cdot", r"\textbackslash", r"\textasciitilde", r"\textasciicircum", r"\textless"),
    r"\textgreater",
}


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[:1] != "+"
