"""What a record says of the encoder in its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.records.record import CellRecord


def described_encoder(record: CellRecord) -> Mapping[str, Any] | None:
    """Return the encoder as the record describes it, a pair model's own included; None without one."""
    encoder = record.params.get("encoder")
    if encoder is None and (pair_model := record.params.get("pair_model")):
        encoder = pair_model["params"].get("encoder")
    return encoder


def without_transformer(record: CellRecord) -> str | None:
    """Say why a method has no transformer that can be looked into; None if it may have one."""
    described = described_encoder(record)
    if described is None:
        return "has no encoder with a vision transformer"
    name = described["adapter"].partition("@")[0]
    if name not in ("dino", "timm"):
        return f"has the encoder {name}, but no vision transformer; dino and timm may have one"
    return None
