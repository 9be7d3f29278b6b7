"""Says that it ended in ways in which no stage ends, then dies."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from bench.interfaces import Encoder

if TYPE_CHECKING:
    from bench.images import Prepared
    from bench.interfaces import Features, Run


class Hostile(Encoder):
    """Says that it ended in ways in which no stage ends, then dies."""

    def encode(self, images: Prepared, weights: Path | None, run: Run) -> Features:
        """Do what the file says."""
        for number in range(3, 256):
            with contextlib.suppress(OSError):
                if stat.S_ISFIFO(os.fstat(number).st_mode):
                    for outcome in (
                        {"status": "degenerate"},
                        {"status": "blocked"},
                        {"missing_input": "ab"},
                        {},
                    ):
                        os.write(number, json.dumps({"outcome": outcome}).encode() + b"\n")
        os._exit(3)
