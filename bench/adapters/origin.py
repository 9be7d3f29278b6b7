"""Provenance of a dataset, and numbers that identify a real copy of it. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STAND_IN_MARKER = "SYNTHETIC.json"
"""Marker file: everything in its folder and below was generated."""


@dataclass(frozen=True)
class Download:
    """One downloadable part of a dataset: by https, or by a command that the user must have."""

    name: str
    """Short, e.g. "metadata"; also what `bench data download --part` takes."""
    url: str = ""
    """https URL of one file. Empty if only `command` can download it."""
    command: tuple[str, ...] = ()
    """Program and arguments; `{out}` is the target folder. Used where there is no plain URL."""
    size: int | None = None
    """Bytes, if known."""
    md5: str = ""
    """32 hexadecimal digits, if known."""
    unpack: bool = False
    """Whether the file is an archive to unpack in the target folder."""
    note: str = ""
    """What the user must know first: an account, terms to accept, how to download less."""
    optional: bool = False
    """Downloaded only if requested by name: another form of the data, or more than most need."""


@dataclass(frozen=True)
class Origin:
    """Where the real data is, under which licence, and what to do if there is no public copy."""

    licence: str
    """Name of the licence, or how to obtain one."""
    parts: tuple[Download, ...] = ()
    """What can be downloaded automatically."""
    by_hand: str = ""
    """What to get where, and what to put into the data folder, if nothing can be downloaded automatically."""


@dataclass(frozen=True)
class Check:
    """A known number of the real data, and the number found."""

    what: str
    """What is counted, e.g. "images"."""
    expected: int | str
    """As published or counted earlier."""
    found: int | str
    """In the data being checked."""

    @property
    def ok(self) -> bool:
        """Whether both are equal."""
        return self.expected == self.found


def stand_in_marker(root: Path, files: Iterable[Path] = ()) -> Path | None:
    """Return the marker of generated data that covers `root` or one of `files`; None if there is none.

    A marker covers its folder and everything below: also a sub-folder of a stand-in, and what an
    adapter finds in a stand-in below `root`.
    """
    seen: set[Path] = set()
    for start in dict.fromkeys((root, *(f.parent for f in files))):
        folder = start.resolve()
        for candidate in (folder, *folder.parents):
            if candidate in seen:
                break
            seen.add(candidate)
            if (candidate / STAND_IN_MARKER).is_file():
                return candidate / STAND_IN_MARKER
    return None
