"""Calls sys.exit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Calls sys.exit."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        sys.exit(0)
