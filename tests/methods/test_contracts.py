"""What every file below methods/ must keep beside the contract of adapters (tests/contract)."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import pytest

import bench.interfaces
from bench.interfaces import Classifier, Clusterer, Encoder, PairModel, Reducer
from tests.methods import public_adapters

KINDS: dict[str, type] = {
    "encoders": Encoder,
    "reducers": Reducer,
    "pair_models": PairModel,
    "clusterers": Clusterer,
    "classifiers": Classifier,
}
ROOT = Path(bench.interfaces.__file__).parents[1] / "methods"
FILES = sorted(p for p in ROOT.glob("*/*.py") if p.name != "__init__.py")
MODULES = [f"bench.methods.{p.parent.name}.{p.stem}" for p in FILES]
TRIVIAL = {"all_in_one", "each_alone", "random_sizes", "majority"}


def test_finds_the_files() -> None:
    assert len(MODULES) > 10
    assert {p.parent.name for p in FILES} <= set(KINDS)


@pytest.mark.parametrize("name", MODULES)
def test_adapter_is_complete(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    found = public_adapters(module)
    assert len(found) == 1, f"{name} must hold exactly one public adapter, has {found}"
    (adapter,) = found
    kind, stem = name.split(".")[-2:]
    assert issubclass(adapter, KINDS[kind])
    assert getattr(adapter, "trivial", False) == (stem in TRIVIAL)
    missing = [lib for lib in adapter.libraries if importlib.util.find_spec(lib.partition(".")[0]) is None]
    assert set(missing) <= {"pyamg"}
