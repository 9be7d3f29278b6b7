"""Where a dataset comes from, and the numbers by which its real copy is known. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True)
class Origin:
    """Where the real data is, under which licence, and what to do where no public copy exists."""

    licence: str
    parts: tuple[Download, ...] = ()
    by_hand: str = ""
    """What to get where, and what to put into the data folder, if no part can be fetched by a program."""


@dataclass(frozen=True)
class Check:
    """A number of the real data, as published or counted before, and what was found."""

    what: str
    expected: int | str
    found: int | str

    @property
    def ok(self) -> bool:
        return self.expected == self.found
