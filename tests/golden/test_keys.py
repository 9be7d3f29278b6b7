"""Keys stay as version 0.1 made them: a key that changes would have its users compute everything anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.keys import keys

GOLDEN = Path(__file__).with_name("keys.txt")


@pytest.mark.slow
def test_every_key_of_every_shipped_suite_is_as_it_was(tmp_path: Path):
    golden = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert list(keys(tmp_path)) == golden
