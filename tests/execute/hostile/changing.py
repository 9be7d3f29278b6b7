"""A dataset whose files change while they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.images import ImageSet
from bench.interfaces import Dataset
from bench.layouts.fileset import FileSet


class Changing(Dataset):
    """Adds a byte to its first file whenever it is opened."""

    def files(self, root: Path) -> Sequence[Path]:
        """List the images."""
        return sorted(root.glob("*.jpg"))

    def open(self, root: Path) -> ImageSet:
        """Change a file, then open all."""
        paths = self.files(root)
        with paths[0].open("ab") as f:
            f.write(b"x")
        return FileSet([p.stem for p in paths], ["a"] * len(paths), paths, grey=True, fill=0, notes={})
