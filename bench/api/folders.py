"""Default folders."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_RESULTS = Path("results")
"""One folder per suite, below the working directory."""


def default_store() -> Path:
    """Return the folder of artefacts: `$BENCH_STORE`, or `cutjoin` in the user's cache folder."""
    named = os.environ.get("BENCH_STORE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cutjoin"


def default_results() -> Path:
    """Return the folder of results: `$BENCH_RESULTS`, or `results` in the working directory."""
    return Path(os.environ.get("BENCH_RESULTS") or DEFAULT_RESULTS)


def default_data() -> Path | None:
    """Return the folder with one folder per dataset: `$BENCH_DATA`, if set."""
    named = os.environ.get("BENCH_DATA")
    return Path(named) if named else None
