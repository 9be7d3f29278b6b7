"""What tells a store from any other folder: a marker file, or the layout of a store from before markers.

Whatever deletes or sweeps asks here first. Even in a store, only names that the store itself gives are
ever touched.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from bench.errors import UsageError
from bench.util.durable import Damaged, unseal, write_whole

MARKER = "cutjoin-store.json"
VERSION = 1
"""Of the layout. A later one is refused: its files might be taken for leftovers."""

_KEY = "[0-9a-f]{32}"
_SUFFIX = "[0-9a-f]{8}"
_SESSION = r"\d+-[0-9a-f]{12}(\.[0-9a-f-]+\.[\w-]+)?"
_DOOMED = "doomed-[0-9a-f]{12}"
_NAMES = {
    "artefacts": re.compile("[0-9a-f]{2}"),
    "checkpoints": re.compile(_KEY),
    "claims": re.compile(_KEY),
    "quarantine": re.compile(rf"{_KEY}\.{_SUFFIX}"),
    "partial": re.compile(rf"({_SESSION}|{_DOOMED})(\.lock)?"),
}
_ARTEFACT = re.compile(_KEY)
_OTHERS = re.compile(r"\..*|lost\+found|fingerprints\.sqlite.*|numba.*")
"""Names beside those folders that say nothing for or against a store."""


def is_ours(path: Path) -> bool:
    """Say whether a store may have written `path`, by the name of it and of its folder."""
    folder = path.parent.name
    pattern = _NAMES.get(folder, _ARTEFACT)
    return pattern.fullmatch(path.name) is not None and not path.is_symlink()


def claim_folder(root: Path) -> str | None:
    """Make sure that `root` is a store, and mark it if it is new; return a notice if an old one was marked.

    Raises `UsageError` for a folder with anything else in it, and for a store of a later version.
    """
    if _is_marked(root):
        return None
    notice = None
    if require_usable(root):
        notice = f"{root}: recognised as a store of an earlier version by its layout; marked by {MARKER}"
    content = {"format": "cutjoin artefact store", "version": VERSION}
    write_whole(root / MARKER, (json.dumps(content) + "\n").encode())
    return notice


def require_usable(root: Path) -> bool:
    """Make sure that `root` is or can become a store, changing nothing; return whether it is an unmarked one.

    Raises `UsageError` like `claim_folder`.
    """
    if _is_marked(root) or not root.exists():
        return False
    if not root.is_dir():
        raise UsageError(f"{root}: a file; a store is a folder")
    if _entries(root) and not _is_old_store(root):
        raise UsageError(_refusal(root))
    return bool(_entries(root))


def require_store(root: Path) -> str | None:
    """Make sure that `root` is a store already; like `claim_folder`, but never makes one."""
    if not root.exists():
        raise UsageError(f"{root}: there is no such folder; --store names the store")
    if not _is_marked(root) and root.is_dir() and not _entries(root):
        raise UsageError(f"{root}: no store of cutjoin, it is empty")
    return claim_folder(root)


def _is_marked(root: Path) -> bool:
    path = root / MARKER
    try:
        content = json.loads(path.read_bytes())
        version = int(content["version"])
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (ValueError, TypeError, KeyError):
        raise UsageError(
            f"{path}: not the marker of a store; if {root} is a store, remove this file"
        ) from None
    if version > VERSION:
        raise UsageError(
            f"{root}: a store of layout {version}, this program knows layouts up to {VERSION}; update cutjoin"
        )
    return True


def _is_old_store(root: Path) -> bool:
    """Recognise a store without a marker: it holds an artefact, or nothing that a store would not write."""
    if any(map(_is_artefact, (root / "artefacts").glob("??/*"))):
        return True
    return all(
        top.name in _NAMES and top.is_dir() and all(is_ours(p) for p in _below(top)) for top in _entries(root)
    )


def _below(top: Path) -> Iterator[Path]:
    for path in top.iterdir():
        yield path
        if top.name == "artefacts" and path.is_dir():
            yield from path.iterdir()


def _is_artefact(folder: Path) -> bool:
    try:
        body = unseal((folder / "manifest.json").read_bytes(), folder.name)
    except (OSError, Damaged):
        return False
    return body.get("key") == folder.name


def _entries(root: Path) -> list[Path]:
    """List what is in a folder, without names that any folder may have."""
    return sorted(p for p in root.iterdir() if not _OTHERS.fullmatch(p.name))


def _refusal(root: Path) -> str:
    names = [p.name + (os.sep if p.is_dir() else "") for p in _entries(root)]
    held = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return (
        f"{root}: no store of cutjoin, it holds {held} and no {MARKER}; nothing was changed. "
        "Name a new or empty folder, or one that was a store before"
    )
