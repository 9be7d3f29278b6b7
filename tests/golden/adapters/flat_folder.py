"""A user's dataset, as written for version 0.1: images of one folder, their class before the first dash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.fileset import FileSet

from bench.images import ImageSet
from bench.interfaces import DataError, Dataset


class FlatFolder(Dataset):
    """Reads `<class>-<number>.bmp`."""

    version = 2

    def files(self, root: Path) -> Sequence[Path]:
        found = sorted(root.glob("*-*.bmp"))
        if not found:
            raise DataError(f"{root}: holds no images named <class>-<number>.bmp")
        return found

    def open(self, root: Path) -> ImageSet:
        paths = self.files(root)
        labels = [p.stem.partition("-")[0] for p in paths]
        return FileSet([p.stem for p in paths], labels, paths, grey=True, fill=0, notes={})
