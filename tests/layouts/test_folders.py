from pathlib import Path

import pytest

from bench.layouts.folders import within


@pytest.mark.parametrize("name", ["a.tif", "b/a.tif", "b\\a.tif", "b/../a.tif", "./a.tif"])
def test_names_below_the_root_are_accepted(tmp_path: Path, name: str) -> None:
    path = within(tmp_path, name)
    assert path is not None
    assert path.is_relative_to(tmp_path.resolve())
    assert path.name == "a.tif"


@pytest.mark.parametrize("name", ["", "../a.tif", "b/../../a.tif", "..\\a.tif", "/etc/passwd", "a\0b"])
def test_names_that_leave_the_root_are_not(tmp_path: Path, name: str) -> None:
    assert within(tmp_path, name) is None


def test_links_out_of_the_root_and_to_themselves_are_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    (root / "in").symlink_to(root)
    assert within(root, "out/a") is None
    assert within(root, "loop") is None
    assert within(root, "in/a") == root.resolve() / "a"
