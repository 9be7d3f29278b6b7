"""Everything the fork server preloads can be imported: it skips failed imports silently."""

from __future__ import annotations

import importlib.util

import pytest

from bench.adapters import registry
from bench.execute.forkserver import BASE_LIBRARIES

OPTIONAL = {"cellpose"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["harness", *registry.KINDS])
def test_every_library_exists(kind: str):
    libraries = set(BASE_LIBRARIES)
    if kind != "harness":
        libraries = {x for name in registry.names(kind) for x in registry.load(kind, name).libraries}
    needed = [x for x in sorted(libraries) if x.partition(".")[0] not in OPTIONAL]
    assert [x for x in needed if importlib.util.find_spec(x) is None] == []
