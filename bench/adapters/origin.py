"""Where a dataset comes from, and the numbers by which its real copy is known. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STAND_IN_MARKER = "SYNTHETIC.json"
"""File that says that everything in its folder, and below, was generated."""


@dataclass(frozen=True)
class Download:
    """One part of a dataset that can be fetched: by https, or by a command that the user must have."""

    name: str
    """Short, e.g. "metadata"; also what `bench data download --part` takes."""
    url: str = ""
    """https address of one file. Empty if only `command` gets it."""
    command: tuple[str, ...] = ()
    """Program and arguments; `{out}` stands for the target folder. Used where there is no plain address."""
    size: int | None = None
    """Bytes, where known."""
    md5: str = ""
    """Where known; 32 hexadecimal digits."""
    unpack: bool = False
    """Whether the file is an archive to unpack in the target folder."""
    note: str = ""
    """What the user must know first: an account, rules to accept, how to take less of it."""
    optional: bool = False
    """Fetched only when asked for by name: another form of the data, or more than most need."""


@dataclass(frozen=True)
class Origin:
    """Where the real data is, under which licence, and what to do where no public copy exists."""

    licence: str
    """Name of the licence, or what to do to get one."""
    parts: tuple[Download, ...] = ()
    """What a program can fetch."""
    by_hand: str = ""
    """What to get where, and what to put into the data folder, if no part can be fetched by a program."""


@dataclass(frozen=True)
class Check:
    """A number of the real data, as published or counted before, and what was found."""

    what: str
    """Of what it is the number, e.g. "images"."""
    expected: int | str
    """As published or counted before."""
    found: int | str
    """In the data that was checked."""

    @property
    def ok(self) -> bool:
        """Whether both are equal."""
        return self.expected == self.found


def stand_in_marker(root: Path, files: Iterable[Path] = ()) -> Path | None:
    """Return the marker of generated data that covers `root` or one of `files`; None if there is none.

    A marker covers its folder and all below, so a sub-folder of a stand-in is one too, and so is
    what an adapter finds in a stand-in below `root`.
    """
    looked: set[Path] = set()
    for start in dict.fromkeys((root, *(f.parent for f in files))):
        folder = start.resolve()
        for place in (folder, *folder.parents):
            if place in looked:
                break
            looked.add(place)
            if (place / STAND_IN_MARKER).is_file():
                return place / STAND_IN_MARKER
    return None
