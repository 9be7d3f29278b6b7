"""Errors that are about what the user gave, not about this program."""

from __future__ import annotations


class DataError(ValueError):
    """The data is not what it should be: says what, where, the value, and the likely fix."""
