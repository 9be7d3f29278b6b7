"""Everything that ships keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.adapters import registry
from bench.contract.check import CheckStatus, checks
from bench.contract.finding import load
from bench.contract.imports import on_import
from bench.contract.running import run
from bench.contract.subject import Sizes
from bench.metrics.names import SHIPPED
from tests.contract.shipped import data, settings

ADAPTERS = [(kind, name) for kind in registry.KINDS for name in registry.names(kind)]
SIZES = Sizes(images=24, size=16)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), ADAPTERS, ids=[f"{k}-{n}" for k, n in ADAPTERS])
def test_adapter(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    own = registry.load(kind, name)
    root = data(tmp_path / "data") if kind == "dataset" and not getattr(own, "generator", "") else None
    subject = load(kind, name, settings(kind, name, tmp_path), tmp_path / "work", SIZES, root)
    # one process for the imports of all is enough: see below
    found = {o.check: o for o in run(subject, [c for c in checks(kind) if c.name != "importing"])}
    assert not {n: (o.message, o.line) for n, o in found.items() if o.status is CheckStatus.FAILED}
    skipped = {n: o.message for n, o in found.items() if o.status is CheckStatus.SKIPPED}
    assert not {n: why for n, why in skipped.items() if why.startswith("needs ")}


@pytest.mark.parametrize("name", SHIPPED)
def test_metric(name: str, tmp_path: Path) -> None:
    found = list(run(load("metric", name, {}, tmp_path, SIZES), checks("metric")))
    assert not {o.check: o.message for o in found if o.status is CheckStatus.FAILED}
    taken = SHIPPED[name].takes not in ("groups", "labels")
    assert (found[0].status is CheckStatus.PASSED) == taken


@pytest.mark.slow
def test_importing_all_adapters_loads_nothing_heavy() -> None:
    modules = [f"{registry.KINDS[kind][0]}.{name}" for kind, name in ADAPTERS]
    found = on_import("encoder", *modules)
    assert found.loaded == []
    assert found.effects == []
