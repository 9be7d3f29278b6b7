"""Adapters of a record, described and built again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bench.adapters import registry
from bench.adapters.spec import AdapterSpec
from bench.errors import AdapterError, DataError
from bench.interfaces import Adapter
from bench.planning.fingerprint import Fingerprints
from bench.records.store import Store
from bench.report.drawing.checkpoints import without_attention
from bench.report.drawing.rebuilt import rebuild, spec
from bench.stages.finished import FinishedCell
from tests.records.test_record import record

DINO = {"adapter": "dino@3", "params": {}}
PIXELS = {"adapter": "pixels@1", "params": {}}
OLD = {"adapter": "dino@1", "params": {}}
GONE = {"adapter": "gone@1", "params": {}}
OF_FILE = {"adapter": "file:00@1", "params": {}}


@pytest.mark.parametrize(
    ("params", "encoder", "reason"),
    [
        ({"encoder": DINO}, DINO, None),
        ({"encoder": PIXELS}, PIXELS, "has the encoder pixels, which shows no attention"),
        ({"pair_model": {"adapter": "twin@1", "params": {"encoder": DINO}}}, DINO, None),
        ({"pair_model": {"adapter": "precomputed@1", "params": {}}}, None, "has no encoder"),
        ({"classifier": {"adapter": "majority@1", "params": {}}}, None, "has no encoder"),
        (
            {"encoder": GONE},
            GONE,
            "cannot be looked into: no encoder named 'gone'",
        ),
        ({"encoder": OF_FILE}, OF_FILE, "cannot be looked into: the file of the encoder cannot be found"),
    ],
)
def test_the_encoder_of_a_method_or_of_its_pair_model(params: Any, encoder: Any, reason: str | None):
    cell = of_record(params)
    found = spec(cell, "encoder")
    assert (found.described if found else None) == encoder
    said = without_attention(cell)
    if reason is None:
        assert said is None
    else:
        assert re.match(reason, str(said))


def of_record(params: dict[str, Any], files: dict[str, str] | None = None) -> FinishedCell:
    """Return a cell of which nothing but the record is there."""
    return FinishedCell(record().model_copy(update={"params": params}), Store(Path("none")), files)


def recorded(adapter: Adapter) -> FinishedCell:
    """Return a cell whose record has an adapter as planning writes it down."""
    written = AdapterSpec.of(adapter, lambda path: Fingerprints(Path("none"), read_only=True).content(path))
    return of_record({written.kind: written.described}, written.files)


TIMM = registry.load("encoder", "timm")


@pytest.mark.parametrize(
    ("kind", "name", "params"),
    [
        ("encoder", "dino", {"width": 24, "large_area": (0.5, 1), "snapshots": [0, 0.5]}),
        ("classifier", "simple_cnn", {"epochs": 1}),
        ("pair_model", "twin", {"encoder": TIMM.model_validate({"weights": "random"})}),
    ],
)
def test_an_adapter_is_built_again_as_it_was(kind: str, name: str, params: Any):
    adapter = registry.load(kind, name).model_validate(params)
    found = rebuild(recorded(adapter), kind)
    assert found.adapter == adapter
    assert found.lost == ()


def test_files_that_are_gone_or_changed_are_lost_also_those_of_a_nested_adapter(tmp_path: Path):
    file = tmp_path / "w.pt"
    file.write_bytes(b"some weights")
    encoder = TIMM.model_validate({"weights": "file", "weights_file": file})
    twin = registry.load("pair_model", "twin").model_validate({"encoder": encoder})
    cells = recorded(encoder), recorded(twin)
    assert rebuild(cells[0], "encoder").adapter == encoder
    assert rebuild(cells[1], "pair_model").lost == ()
    file.write_bytes(b"other weights")
    assert rebuild(cells[0], "encoder").lost == ("weights_file",)
    file.unlink()
    assert rebuild(cells[1], "pair_model").lost == ("encoder.weights_file",)
    assert rebuild(cells[1], "encoder").lost == ("weights_file",)


def test_another_version_is_refused_and_what_is_not_there_is_named():
    with pytest.raises(DataError, match=r"encoder dino was version 1; version \d+ is installed; `bench run"):
        rebuild(of_record({"encoder": OLD}), "encoder")
    with pytest.raises(DataError, match="has no pair model"):
        rebuild(of_record({}), "pair_model")
    with pytest.raises(AdapterError, match="no installed package declares it"):
        rebuild(of_record({"encoder": {"adapter": "a.b:C@1", "params": {}}}), "encoder")
