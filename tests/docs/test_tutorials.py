"""The tutorials run from top to bottom, and show what they say."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

CHECKOUT = Path(__file__).parents[2]
TUTORIALS = sorted((CHECKOUT / "docs" / "tutorials").glob("*.md"))
_FENCE = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_ALLOWED = {"cutjoin", "numpy", "pandas", "PIL", "pathlib"}


def blocks(text: str) -> list[tuple[str, str | None]]:
    """Return each block of code with the output that follows it, if any is shown."""
    found: list[tuple[str, str | None]] = []
    for kind, body in _FENCE.findall(text):
        if kind == "python":
            found.append((body, None))
        else:
            found[-1] = (found[-1][0], body)
    return found


def shown(code: str, names: dict[str, Any]) -> str:
    """Run a block as a notebook does; return what it prints and the value of a last expression."""
    tree, out = ast.parse(code), io.StringIO()
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(out), pd.option_context("display.width", 120, "display.max_columns", 20):
        exec(compile(tree, "tutorial", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "tutorial", "eval"), names)
            if value is not None:
                print(repr(value))
    return out.getvalue()


def in_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("BENCH_STORE", str(folder / "store"))
    for name in ("BENCH_RESULTS", "BENCH_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs_and_shows_what_it_says(
    tutorial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_folder(tmp_path, monkeypatch)
    names: dict[str, Any] = {"__name__": "__main__"}  # processes start in cutjoin.run(
    for code, expected in blocks(tutorial.read_text(encoding="utf-8")):
        found = shown(code, names)
        if expected is not None:
            assert doctest.OutputChecker().check_output(expected, found, _FLAGS), f"{code}\n{found}"


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_needs_nothing_but_the_public_package(tutorial: Path) -> None:
    text = tutorial.read_text(encoding="utf-8")
    imported = {
        name.partition(".")[0] for name in re.findall(r"^\s*(?:import|from) (\S+)", text, re.MULTILINE)
    }
    assert imported <= _ALLOWED
    assert "cutjoin" in imported


@pytest.mark.slow
def test_the_example_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_folder(tmp_path, monkeypatch)
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## From Python\n")[2].partition("\n## ")[0]
    names: dict[str, Any] = {"__name__": "__main__"}
    assert len(blocks(section)) >= 1
    for code, expected in blocks(section):
        found = shown(code, names)
        assert expected is None or doctest.OutputChecker().check_output(expected, found, _FLAGS), found


def test_links_of_the_readme_into_the_docs_lead_somewhere() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\((docs/[^)#]+)\)", text)
    assert "docs/tutorials/first-groups.md" in targets
    assert all((CHECKOUT / target).is_file() for target in targets)
