from __future__ import annotations

from typing import Any

import pytest

from bench.report.figures.described import described_encoder, without_transformer
from tests.records.test_record import record

DINO = {"adapter": "dino@3", "params": {}}
PIXELS = {"adapter": "pixels@1", "params": {}}


@pytest.mark.parametrize(
    ("params", "encoder", "reason"),
    [
        ({"encoder": DINO}, DINO, None),
        ({"encoder": PIXELS}, PIXELS, "has the encoder pixels"),
        ({"pair_model": {"adapter": "twin@1", "params": {"encoder": DINO}}}, DINO, None),
        ({"pair_model": {"adapter": "precomputed@1", "params": {}}}, None, "has no encoder"),
        ({"classifier": {"adapter": "majority@1", "params": {}}}, None, "has no encoder"),
    ],
)
def test_the_encoder_of_a_method_or_of_its_pair_model(params: Any, encoder: Any, reason: str | None):
    described = record().model_copy(update={"params": params})
    assert described_encoder(described) == encoder
    if reason is None:
        assert without_transformer(described) is None
    else:
        assert str(without_transformer(described)).startswith(reason)
