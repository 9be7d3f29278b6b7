"""Errors in what the user provided, not in this program.

All derive from `CutjoinError`: one `except` catches everything that a user can cause and fix. Messages are
whole sentences: what is wrong, where, the value, and the likely fix. Each also derives from the closest
built-in exception. Those of files and grids are defined next to the code that raises them.
"""

from __future__ import annotations


class CutjoinError(Exception):
    """An error that a user can cause and fix."""


class DataError(CutjoinError, ValueError):
    """The data is missing or invalid."""


class UsageError(CutjoinError, ValueError):
    """A command or call requests something that does not exist, or a combination that is not possible."""


class AdapterError(CutjoinError, LookupError):
    """Something to plug in, e.g. an encoder or a metric, that does not exist or cannot be loaded."""


class DiskFull(CutjoinError, OSError):
    """No room is left where something is to be written; exit code 4."""


class RunBrokenOff(CutjoinError, RuntimeError):
    """The operating system refused something while a run went on; exit code 5. What is finished is kept."""
