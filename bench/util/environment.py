"""Where and with which copy of the code something is computed."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any


def place() -> dict[str, Any]:
    """Describe this machine and this copy of the code, for the provenance of what is computed here."""
    import importlib.metadata as md

    commit, dirty = _git(Path(__file__).parents[1])
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": _processor(),
        "python": platform.python_version(),
        "cutjoin": md.version("cutjoin"),
        "git_commit": commit,
        "git_dirty": dirty,
    }


def _git(folder: Path) -> tuple[str | None, bool | None]:
    """Return commit and dirty flag of the checkout that the code runs from; None for an installed wheel."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", os.fspath(folder), *words],
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if ask("ls-files", "--error-unmatch", "interfaces.py") is None:  # not our repository
        return None, None
    status = ask("status", "--porcelain", "--untracked-files=no", ":/")
    return ask("rev-parse", "HEAD"), bool(status) if status is not None else None


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in text.splitlines() if x.startswith("model name")), "")
