"""Text for people: names from data made printable, suggestions for misspelt names, and counts."""

from __future__ import annotations

import difflib


def suggest(name: str, known: list[str]) -> str:
    """Return a "did you mean" for a wrong name, or the known names if none is similar."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(known)}" if known else "there are none"


def printable(text: str, mark: str = " ") -> str:
    """Return a text with a space in place of other white space, and `mark` in place of control characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else mark for c in text)


def one_line(text: str) -> str:
    """Return a name on one line, without control characters."""
    return " ".join(printable(text).split())


def plural(count: int, what: str) -> str:
    """Return "1 image", "2 images", "1,000 images"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
