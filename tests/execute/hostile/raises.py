"""Raises in the middle of its work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Raises in the middle of its work."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        raise RuntimeError("broken on purpose")
