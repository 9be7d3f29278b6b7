from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import DataError
from bench.report.site.folder import LIST, Folder
from bench.util.durable import seal


def write(root: Path, *names: str) -> Folder:
    folder = Folder(root)
    folder.begin()
    for name in names:
        folder.write(name, name.encode())
    folder.finish()
    return folder


def files(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*")}


def test_what_an_earlier_build_left_goes_and_what_others_put_there_stays(tmp_path: Path) -> None:
    write(tmp_path / "s", "a.html", "b/c/d.jpg", "b/e.jpg")
    (tmp_path / "s" / "CNAME").write_text("mine")
    made = write(tmp_path / "s", "a.html", "b/e.jpg")
    assert files(tmp_path / "s") == {LIST, "a.html", "b", "b/e.jpg", "CNAME"}
    assert made.sizes == {"a.html": 6, "b/e.jpg": 7}


def test_a_build_that_was_killed_can_be_repeated(tmp_path: Path) -> None:
    write(tmp_path, "old.html")
    half = Folder(tmp_path)
    half.begin()
    half.write("new.html", b"")
    write(tmp_path, "new.html")
    assert files(tmp_path) == {LIST, "new.html"}


def test_folders_of_others_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(DataError, match="holds other files and no earlier site; name an empty folder"):
        Folder(tmp_path)
    with pytest.raises(DataError, match="is a file; name a folder"):
        Folder(tmp_path / "f")
    (tmp_path / LIST).write_bytes(seal({"files": ["../f"]}))
    with pytest.raises(DataError, match="not below the folder"):
        Folder(tmp_path)
    (tmp_path / LIST).write_text("{}")
    with pytest.raises(DataError, match="not a complete sealed JSON file"):
        Folder(tmp_path)
    assert files(tmp_path) == {"f", LIST}
