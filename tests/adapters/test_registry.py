"""One file = one adapter = one name; a user's file is run in its current version."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest

from bench.adapters import sockets
from bench.adapters.registry import (
    KINDS,
    AdapterError,
    entries,
    file_of,
    find,
    identity,
    is_built_in,
    kind_of,
    load,
    names,
)
from bench.interfaces import Encoder
from bench.util.text import suggest

OWN = "from bench.interfaces import Encoder\nclass Own(Encoder):\n    'Mine.'\n    power: int = {}\n"


class Foreign(Encoder):
    """An adapter of another package."""

    use: ClassVar[str] = "foreign"


@pytest.fixture
def entry_point(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pretend that packages declare adapters."""
    group = "cutjoin.encoders"
    declared = [
        importlib.metadata.EntryPoint("foreign", "tests.adapters.test_registry:Foreign", group),
        importlib.metadata.EntryPoint("broken", "no.such.module:X", group),
        importlib.metadata.EntryPoint("wrong", "pathlib:Path", group),
    ]
    real = importlib.metadata.entry_points
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **kw: declared if kw.get("group") == group else real(**kw)
    )
    sockets.forget()
    yield
    monkeypatch.undo()
    sockets.forget()


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in names(k)])
def test_built_in_adapters(kind: str, name: str):
    cls = load(kind, name)
    assert (cls.use, kind_of(cls), is_built_in(cls)) == (name, kind, True)
    assert identity(cls) == f"{name}@{cls.version}"
    (entry,) = [e for e in entries(kind) if e.name == name]
    assert entry.origin == "built in"
    assert entry.summary.endswith(".")


def test_there_are_adapters_of_the_kinds_that_suites_need():
    assert {"pixels", "polar_fft", "timm", "precomputed"} <= set(names("encoder"))
    assert {"kmeans", "ward", "hdbscan", "spectral", "gmm", "birch"} <= set(names("clusterer"))


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(AdapterError, match=r"no encoder named 'polarfft'; did you mean 'polar_fft'\?"):
        load("encoder", "polarfft")
    with pytest.raises(AdapterError, match=r"known: .*pixels"):
        load("encoder", "qqq")
    assert suggest("x", []) == "there are none"


@pytest.mark.parametrize("use", ["__init__", "../encoders/pixels", "os", "", "pixels.x", "pixels\n"])
def test_a_name_is_not_a_path_into_other_code(use: str):
    with pytest.raises(AdapterError, match="no encoder named"):
        load("encoder", use)


@pytest.fixture
def byte_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python cache bytecode, whatever the environment says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.mark.usefixtures("byte_code")
def test_a_users_file(tmp_path: Path):
    (tmp_path / "own.py").write_text(OWN.format(1))
    cls = load("encoder", "./own.py", tmp_path)
    assert (cls.use, cls.__doc__, is_built_in(cls)) == ("./own.py", "Mine.", False)
    assert load("encoder", str(tmp_path / "own.py")) is cls
    assert identity(cls).startswith("file:")
    assert [p.name for p in tmp_path.iterdir()] == ["own.py"]  # no bytecode is left beside it


@pytest.mark.usefixtures("byte_code")
def test_a_users_file_is_run_in_its_current_version(tmp_path: Path):
    """Bytecode cached from a file of equal size and time would be another adapter."""
    path = tmp_path / "own.py"
    found = []
    for power in (1, 2):
        path.write_text(OWN.format(power))
        os.utime(path, (1_000_000_000, 1_000_000_000))
        found.append(load("encoder", "own.py", tmp_path))
    assert [cls().model_dump()["power"] for cls in found] == [1, 2]
    assert identity(found[0]) != identity(found[1])


def test_the_version_of_an_adapter_that_a_users_file_builds_on_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "own.py").write_text(
        "from bench.methods.encoders.pixels import Pixels\nclass Own(Pixels):\n    'Mine.'\n"
    )
    cls = load("encoder", "./own.py", tmp_path)
    before = identity(cls)
    monkeypatch.setattr(load("encoder", "pixels"), "version", 99)
    assert identity(cls) != before


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def x(:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("", "exactly one public Encoder; found none"),
        ("from bench.methods.encoders.pixels import Pixels\n", "found none"),
        (OWN.format(1) + "class Two(Own):\n    'Two.'\n", "found Own, Two"),
    ],
)
def test_a_users_file_that_cannot_be_used(tmp_path: Path, code: str, message: str):
    (tmp_path / "bad.py").write_text(code)
    before = set(sys.modules)
    for _ in range(2):  # the second attempt must not differ
        with pytest.raises(AdapterError, match=message):
            load("encoder", "./bad.py", tmp_path)
    assert "found" in message or set(sys.modules) <= before | {"bench.methods.encoders.pixels"}


@pytest.mark.parametrize("use", ["none.py", "~no.such.user/x.py", "a\0.py", "x" * 5000 + ".py", "folder.py"])
def test_a_path_that_cannot_be_read(tmp_path: Path, use: str):
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(AdapterError, match=r"there is no file|cannot be read"):
        load("encoder", use, tmp_path)


@pytest.mark.usefixtures("entry_point")
def test_an_entry_point_is_found_by_its_identity_though_another_is_broken():
    assert find("encoder", "tests.adapters.test_registry:Foreign") is Foreign


def test_of_two_files_with_one_content_the_one_that_is_left_is_used(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.py").write_text(OWN.format(77))
        cls = load("encoder", "./own.py", tmp_path / name)
    assert file_of(cls) == tmp_path / "b" / "own.py"
    (tmp_path / "b" / "own.py").unlink()
    assert file_of(cls) == tmp_path / "a" / "own.py"


def test_threads_may_load_one_file_at_once(tmp_path: Path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.2)\n" + OWN.format(78))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: load("encoder", "./slow.py", tmp_path), range(4)))
    assert len(set(found)) == 1


@pytest.mark.usefixtures("entry_point")
def test_entry_points_of_other_packages():
    assert {"foreign", "broken", "pixels"} <= set(names("encoder"))
    assert load("encoder", "foreign") is Foreign
    assert identity(Foreign) == "tests.adapters.test_registry:Foreign@1"
    assert not is_built_in(Foreign)
    assert "foreign" in [e.name for e in entries("encoder") if e.origin != "built in"]
    with pytest.raises(AdapterError, match=r"'broken'.*cannot be imported: ModuleNotFoundError"):
        load("encoder", "broken")
    with pytest.raises(AdapterError, match=r"pathlib:Path is not of type Encoder"):
        load("encoder", "wrong")
