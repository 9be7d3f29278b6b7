from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli.options.groups import SuiteRef
from bench.cli.results import opened
from bench.errors import UsageError


def test_without_results_the_nearest_name_is_suggested(tmp_path: Path):
    with pytest.raises(UsageError, match=r"no results of 'mine' in .*; nothing has run into"):
        opened(SuiteRef(name="mine.yaml"), tmp_path)
    (tmp_path / "mine-cpu").mkdir()
    (tmp_path / "mine-cpu" / "plan.json").touch()
    with pytest.raises(UsageError, match="did you mean 'mine-cpu'"):
        opened(SuiteRef(name="mine.yaml"), tmp_path)
