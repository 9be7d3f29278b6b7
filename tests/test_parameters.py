"""A function takes at most six parameters; more belong in an object with a name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

MOST = 6
ROOT = Path(__file__).parents[1]
KERNEL = ("njit",)
"""Compiled functions take plain arrays and numbers."""
EXCEPTIONS = {
    "bench/api/scoring.py:multicut": "public; all but the costs are keywords with a default",
    "bench/api/tables.py:leaderboard": "public; all but the suite are keywords with a default",
    "cutjoin/running.py:run": "public; all but the suite are keywords with a default",
    "bench/layouts/collages.py:__init__": "constructor of a set of images; keywords, one per attribute",
    "bench/layouts/fileset.py:__init__": "public constructor of a set of images; keywords, one per attribute",
}


def crowded() -> Iterator[str]:
    """Yield the functions of more than six parameters that are no kernels."""
    for package in ("bench", "cutjoin", "datasets", "methods"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.FunctionDef):
                    continue
                a = node.args
                names = [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
                kernel = any(ast.unparse(d).startswith(KERNEL) for d in node.decorator_list)
                if len(set(names) - {"self", "cls"}) > MOST and not kernel:
                    yield f"{file.relative_to(ROOT).as_posix()}:{node.name}"


def test_only_listed_functions_take_more_than_six_parameters() -> None:
    assert set(crowded()) == set(EXCEPTIONS)
