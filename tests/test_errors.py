"""One `except` catches whatever a user can cause."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import bench
from bench.errors import CutjoinError

OURS = {
    "Broken",
    "InputMissing",
    "Interrupted",
    "NotApplicable",
    "ServerHung",
    "ServerLost",
    "_Interrupted",
    "_Silent",
}
"""Raised and caught inside the package; no user sees one."""


def exceptions() -> list[type[BaseException]]:
    """Return every exception class that a light module of the package defines."""
    found = []
    for info in pkgutil.walk_packages(bench.__path__, "bench."):
        if info.name.endswith(".__main__"):
            continue
        if info.name.split(".")[1] in ("nn", "methods", "datasets", "report", "multicut"):
            continue  # they need torch, numba or matplotlib, and define none
        module = importlib.import_module(info.name)
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, BaseException)
            and not issubclass(value, Warning)
            and value.__module__ == info.name
        ]
    return found


@pytest.mark.slow
def test_every_error_that_users_can_cause_has_one_base() -> None:
    found = exceptions()
    assert {"AdapterError", "Damaged", "DataError", "FileError", "GridError", "UsageError"} <= {
        e.__name__ for e in found
    }
    assert {e.__name__ for e in found if not issubclass(e, CutjoinError)} == OURS
