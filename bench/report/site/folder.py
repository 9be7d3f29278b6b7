"""The folder of a site: what an earlier build left there goes, what others put there stays."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from bench.errors import DataError
from bench.util.durable import Damaged, seal, unseal, write_whole

LIST = "site.json"


class Folder:
    """Collects the files of one build."""

    def __init__(self, root: Path) -> None:
        """Raises `DataError` if the folder holds something, but no list of files of an earlier build."""
        self.root = root
        self.sizes: dict[str, int] = {}
        """Bytes of each file written, by its path below the root."""
        self._earlier = _listed(root)

    def write(self, name: str, content: bytes) -> None:
        """Write one file; `name` is a relative path with slashes."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.sizes[name] = len(content)

    def begin(self) -> None:
        """Say which files will be touched before any is, so that a build that is killed can be repeated."""
        self._write_list(self._earlier)

    def finish(self) -> None:
        """Write the list of files, and remove those of an earlier build that this one does not have."""
        for name in sorted(set(self._earlier) - set(self.sizes)):
            path = self.root / name
            path.unlink(missing_ok=True)
            for folder in path.relative_to(self.root).parents:
                below = self.root / folder
                if below != self.root and below.is_dir() and not any(below.iterdir()):
                    below.rmdir()
        self._write_list(sorted(self.sizes))

    def _write_list(self, names: list[str]) -> None:
        write_whole(self.root / LIST, seal({"files": names}))


def _listed(root: Path) -> list[str]:
    """Return the files of an earlier build in a folder."""
    if not root.exists():
        return []
    if not root.is_dir():
        raise DataError(f"--out: {root} is a file; name a folder")
    if not any(root.iterdir()):
        return []
    try:
        names = unseal((root / LIST).read_bytes(), str(root / LIST))["files"]
    except FileNotFoundError:
        raise DataError(
            f"--out: {root} holds other files and no earlier site; name an empty folder"
        ) from None
    except (Damaged, KeyError) as e:
        raise DataError(f"--out: {e}; remove {root}, or name an empty folder") from None
    for name in names:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts:
            raise DataError(f"--out: {root / LIST} lists {json.dumps(name)}, which is not below the folder")
    return [str(name) for name in names]
