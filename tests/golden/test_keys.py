"""Keys stay as version 0.1 made them: a key that changes would have its users compute everything anew."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.golden.keys import keys

GOLDEN = Path(__file__).with_name("keys.txt")


def test_every_key_of_every_suite_that_0_1_shipped_is_as_it_was(tmp_path: Path):
    now = by_plan(keys(tmp_path))
    for plan, golden in by_plan(GOLDEN.read_text(encoding="utf-8").splitlines()).items():
        assert now[plan] == golden, plan


def by_plan(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return the lines below each heading."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("# "):
            found[line] = []
        else:
            found[next(reversed(found))].append(line)
    return found
