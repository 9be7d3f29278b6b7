"""The benchmark for grouping microscopy images without labels."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _OldNames:
    """Import finder of last resort: users' adapter files may import modules by their 0.1 names."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith("bench."):
            return None
        from bench.adapters.aliases import find_moved

        return find_moved(name)


sys.meta_path.append(_OldNames)
