"""Where and with which copy of the code something is computed."""

from __future__ import annotations

import ast
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import importlib.metadata as md

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Installation:
    """A copy of the code that Python could use."""

    version: str
    folder: Path
    """Of the package `bench`."""
    editable: bool

    def __str__(self) -> str:
        return f"{self.version} from {self.folder}{' (editable)' if self.editable else ''}"


def installations() -> list[Installation]:
    """Return the copy in use, then the others on the path.

    There may be others: a copy in a folder of the path takes precedence over an editable checkout.
    """
    import importlib.metadata as md

    found: dict[Path, Installation] = {}
    for one in filter(None, map(_installation, md.distributions(name="cutjoin"))):
        found.setdefault(one.folder, one)  # Python, too, takes the first
    used = found.pop(_PACKAGE, None) or Installation("unknown", _PACKAGE, editable=False)
    return [used, *found.values()]


def describe() -> dict[str, Any]:
    """Describe this machine and the code that this process runs: the provenance of what it computes.

    Returns the fields of `bench.records.record.Environment`, but for the versions of libraries.
    """
    commit, dirty = _git(_PACKAGE)
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "processor": _processor(),
        "python": platform.python_version(),
        "cutjoin": installations()[0].version,
        "git_commit": commit,
        "git_dirty": dirty,
    }


def _installation(found: md.Distribution) -> Installation | None:
    """Read the metadata of an installation; None if it is damaged."""
    try:
        checkout = _checkout(found)
        folder = checkout or Path(str(found.locate_file("bench")))
        return Installation(found.version or "unknown", folder.resolve(), editable=checkout is not None)
    except (ValueError, AttributeError, OSError):
        return None


def _checkout(found: md.Distribution) -> Path | None:
    """Return the package that an editable installation points to; None if it is not editable.

    Reads the finder that setuptools installs, since that is what Python uses: pip records the folder
    elsewhere, but other tools, such as tox, do not.
    """
    for file in found.files or ():
        if file.name.startswith("__editable__") and file.suffix == ".py":
            match = re.search(r"""["']bench["']: ("[^"]+"|'[^']+')""", file.read_text())
            return Path(ast.literal_eval(match[1])) if match else None
    return None


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
