"""What the fork server loads ahead of time is there to be loaded: it passes over what it cannot import."""

from __future__ import annotations

import importlib.util

import pytest

from bench.adapters import registry
from bench.execute.forkserver import BASE_LIBRARIES

OF_ADAPTERS = sorted(
    {
        library
        for kind in registry.KINDS
        for name in registry.names(kind)
        for library in registry.load(kind, name).libraries
    }
)


@pytest.mark.parametrize("library", [*BASE_LIBRARIES, *OF_ADAPTERS])
def test_every_library_exists(library: str):
    if library.startswith("cellpose"):
        pytest.importorskip("cellpose")
    assert importlib.util.find_spec(library) is not None
