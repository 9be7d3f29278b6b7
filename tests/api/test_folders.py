"""Where things lie unless the user says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api.folders import default_data, default_results, default_store


@pytest.mark.parametrize("empty", ["", None])
def test_without_variables(monkeypatch: pytest.MonkeyPatch, empty: str | None) -> None:
    for name in ("BENCH_STORE", "BENCH_RESULTS", "BENCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False) if empty is None else monkeypatch.setenv(name, empty)
    monkeypatch.setenv("HOME", "/home/someone")
    assert default_store() == Path("/home/someone/.cache/cutjoin")
    assert default_results() == Path("results")
    assert default_data() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    assert default_store() == Path("/scratch/cutjoin")


def test_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE", "RESULTS", "DATA"):
        monkeypatch.setenv(f"BENCH_{name}", f"/{name}")
    assert [default_store(), default_results(), default_data()] == [
        Path("/STORE"),
        Path("/RESULTS"),
        Path("/DATA"),
    ]
