"""Image sets whose channels are one grey file each, in folders that are listed once."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.images import BadImage, ImageSet
from bench.imaging.decode import MAX_PIXELS, decode
from bench.interfaces import Json
from bench.layouts.folders import within

if TYPE_CHECKING:
    import pandas as pd

Files = tuple[Path, tuple[str, ...]]
"""A folder and the names of one image's channels in it, in order."""

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})


class ChannelSet(ImageSet):
    """Images whose channels are one grey file each.

    Parameters
    ----------
    table : as `ImageSet.table`.
    files : per row of `table`.
    dtype : depth of the files; another one makes an image bad, nothing is scaled or clipped.
    mix : float, shape (colours, channels): what `read` returns instead of the channels is their
        weighted sums, rounded and clipped to the depth.

    Notes
    -----
    All channels of an image together may declare at most `MAX_PIXELS` pixels.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        files: Sequence[Files],
        *,
        dtype: type[np.uint8] | type[np.uint16],
        mix: NDArray[np.floating[Any]] | None = None,
        group: str = "",
        notes: Mapping[str, Json],
    ) -> None:
        self.table = table
        self.channels = len(mix) if mix is not None else len(files[0][1])
        self.dtype = dtype
        self.group = group
        self.notes = notes
        self._files = files
        self._mix = mix

    def read(self, row: int) -> NDArray[Any]:
        """Decode the channels of one image; see `bench.imaging.decode.decode`."""
        folder, names = self._files[row]
        limit = MAX_PIXELS // len(names)
        channels: list[NDArray[Any]] = []
        for name in names:
            channel = decode(folder / name, grey=True, max_pixels=limit)
            if channel.dtype != self.dtype:
                raise BadImage(f"{folder / name}: has pixels of {channel.dtype}, not {np.dtype(self.dtype)}")
            if channels and channel.shape != channels[0].shape:
                (h, w, _), (height, width, _) = channel.shape, channels[0].shape
                raise BadImage(f"{folder / name}: is {w} x {h}, but {names[0]} is {width} x {height}")
            channels.append(channel)
        image = np.dstack(channels)
        return image if self._mix is None else np.asarray(cv2.transform(image, self._mix))

    def where(self, row: int) -> str:
        """Return the path of the image's first channel."""
        folder, names = self._files[row]
        return str(folder / names[0])


class FolderTree:
    """The names of the files and folders below a root; each folder is listed once, on demand.

    Folders are named relative to the root. One that is missing or leads outside the root counts
    as empty. Hidden files and links that lead out of the root do not count.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = root.resolve()
        self._seen: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {}

    def files(self, folder: str) -> frozenset[str]:
        """Return the names of the files in a folder."""
        return self._list(folder)[0]

    def folders(self, folder: str) -> tuple[str, ...]:
        """Return the names of the folders in a folder, sorted."""
        return self._list(folder)[1]

    def _list(self, folder: str) -> tuple[frozenset[str], tuple[str, ...]]:
        if folder not in self._seen:
            self._seen[folder] = self._scan(folder)
        return self._seen[folder]

    def _scan(self, folder: str) -> tuple[frozenset[str], tuple[str, ...]]:
        path = within(self.root, folder or ".")
        files: set[str] = set()
        folders: list[str] = []
        if path is None:
            return frozenset(), ()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or (entry.is_symlink() and not self._stays(entry)):
                        continue
                    if entry.is_file():
                        files.add(entry.name)
                    elif entry.is_dir():
                        folders.append(entry.name)
        except OSError as e:
            if e.errno in _MISSING:
                return frozenset(), ()
            raise DataError(f"{path}: cannot be listed: {e.strerror}") from None
        return frozenset(files), tuple(sorted(folders))

    def _stays(self, link: os.DirEntry[str]) -> bool:
        try:
            return Path(link.path).resolve(strict=True).is_relative_to(self._real)
        except (OSError, RuntimeError):  # a link to nothing, or to itself
            return False


def examples(found: Sequence[str]) -> Json:
    """Count findings and name the first few, for `ImageSet.notes`."""
    return {"count": len(found), "first": list(found[:10])}
