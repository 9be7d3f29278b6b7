"""Raises what no terminal can show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Raises what no terminal can show."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        raise RuntimeError("cannot read 'caf\udce9.png'")
