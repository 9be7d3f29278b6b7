"""All plug-ins are found alike: a built-in file, a user's file, an entry point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.adapters.sockets import Socket, objects_of
from bench.errors import AdapterError


@dataclass(frozen=True)
class Gauge:
    """A plug-in of which a file defines one object."""

    name: str


@pytest.fixture
def gauges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Socket[Gauge]:
    """A socket whose package is a folder."""
    package = tmp_path / f"package_of_{tmp_path.name}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "shipped.py").write_text(
        '"""Measures what ships.\n\nMore."""\nfrom tests.adapters.test_sockets import Gauge\n'
        'GAUGE = Gauge("shipped")\n'
    )
    (package / "_private.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return Socket("gauge", package.name, "Gauge", objects_of(Gauge))


def test_a_built_in_file(gauges: Socket[Gauge]):
    assert gauges.names() == ["shipped"]
    (entry,) = gauges.entries()
    assert (entry.kind, entry.origin, entry.summary) == ("gauge", "built in", "Measures what ships.")
    found = gauges.load("shipped")
    assert (found.value.name, found.origin, found.content_hash) == ("shipped", "built in", "")


def test_a_users_object(gauges: Socket[Gauge], tmp_path: Path):
    code = 'from tests.adapters.test_sockets import Gauge\nMINE = Gauge("mine")\n_other = Gauge("other")\n'
    (tmp_path / "mine.py").write_text(code)
    found = gauges.load("./mine.py", tmp_path)
    assert (found.value.name, found.origin, len(found.content_hash)) == ("mine", "file", 32)
    (tmp_path / "mine.py").write_text(code + "SECOND = Gauge('second')\n")
    with pytest.raises(AdapterError, match="exactly one public Gauge; found MINE, SECOND"):
        gauges.load("./mine.py", tmp_path)


def test_an_unknown_name(gauges: Socket[Gauge]):
    with pytest.raises(AdapterError, match=r"no gauge named 'shiped'; did you mean 'shipped'\?"):
        gauges.load("shiped")
