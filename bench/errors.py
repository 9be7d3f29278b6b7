"""Errors that are about what the user gave, not about this program.

All derive from `CutjoinError`: one `except` catches whatever a user can cause and fix. Their text is
whole sentences: what is wrong, where, the value, and the likely fix. Each also derives from the built-in
exception that it is closest to. Those of files and grids are defined beside the code that raises them.
"""

from __future__ import annotations


class CutjoinError(Exception):
    """Anything that a user can cause and fix."""


class DataError(CutjoinError, ValueError):
    """The data is not what it should be."""


class UsageError(CutjoinError, ValueError):
    """A command or call asks for something that does not exist or does not go together."""


class AdapterError(CutjoinError, LookupError):
    """Something to plug in, e.g. an encoder or a metric, that does not exist or cannot be loaded."""
