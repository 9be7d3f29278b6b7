from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli.results import folder_name, opened
from bench.errors import DataError


@pytest.mark.parametrize(
    ("name", "profile", "folder"),
    [
        ("quickstart", None, "quickstart"),
        ("quickstart", "smoke", "quickstart-smoke"),
        ("some/where/mine.yaml", None, "mine"),
        ("mine.yml", "cpu", "mine-cpu"),
    ],
)
def test_a_suite_has_one_folder_however_it_is_named(name: str, profile: str | None, folder: str):
    assert folder_name(name, profile) == folder


def test_without_results_the_nearest_name_is_suggested(tmp_path: Path):
    with pytest.raises(DataError, match=r"no results of 'mine' in .*; nothing has run into"):
        opened("mine.yaml", None, tmp_path)
    (tmp_path / "mine-cpu").mkdir()
    (tmp_path / "mine-cpu" / "plan.json").touch()
    with pytest.raises(DataError, match="did you mean 'mine-cpu'"):
        opened("mine.yaml", None, tmp_path)
