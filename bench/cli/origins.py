"""Where datasets come from, for readers and machines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from bench.adapters.origin import Download, Origin
from bench.cli.progress import human
from bench.interfaces import Dataset


def print_origin(cls: type[Dataset]) -> None:
    """Print licence, parts with sizes and checksums, and manual steps."""
    origin = cls.origin
    if origin is None:
        print("  origin: none; this is a layout, not a particular dataset")
        return
    print(f"  licence: {origin.licence}")
    for part in origin.parts:
        size = human(part.size) if part.size is not None else "size unknown"
        optional = ", only on request" if part.optional else ""
        print(f"  part {part.name}: {size}{optional}{', unpacked' if part.unpack else ''}")
        print(f"      {part.url or ' '.join(part.command)}")
        for line in filter(None, (part.md5 and f"md5 {part.md5}", part.note)):
            print(f"      {line}")
    if origin.by_hand:
        print(textwrap.fill(f"by hand: {origin.by_hand}", 100, initial_indent="  ", subsequent_indent="    "))


def origin_facts(origin: Origin | None) -> dict[str, Any] | None:
    """Return an origin as plain values."""
    if origin is None:
        return None
    parts = [vars(p) | {"command": list(p.command)} for p in origin.parts]
    return {"licence": origin.licence, "by_hand": origin.by_hand, "parts": parts}


def total_size(parts: Sequence[Download]) -> str:
    """Return the total size of parts, as far as it is known."""
    known = sum(p.size or 0 for p in parts)
    unknown = [p.name for p in parts if p.size is None]
    if not unknown:
        return human(known)
    return (f"{human(known)} and " if known else "") + f"{', '.join(unknown)} of unknown size"
