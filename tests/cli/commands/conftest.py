from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands.datasets import write_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "data")
    return tmp_path / "data"
