"""Content keys: the same inputs give the same key, in every process and on every machine."""

from __future__ import annotations

import hashlib
import json

from bench.interfaces import Json

DIGEST_BYTES = 16


def digest(value: Json) -> str:
    """Return a digest of 32 hex digits of the canonical JSON of `value`; mapping order is irrelevant."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")  # file names need not be UTF-8
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()
