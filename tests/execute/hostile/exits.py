"""Ends its process without a word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Ends its process without a word."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        os._exit(3)
