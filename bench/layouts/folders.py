"""Image files in a folder and in its sub-folders of classes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import DataError
from bench.interfaces import NO_FILES, NOT_READ, Json

_JUNK = frozenset({"thumbs.db", "desktop.ini"})
_OTHER_FORMATS = frozenset(
    {
        f".{ending}"
        for ending in (
            *(
                "jpg",
                "jpeg",
                "jpe",
                "jfif",
                "png",
                "bmp",
                "dib",
                "tif",
                "tiff",
                "webp",
                "gif",
                "jp2",
                "j2k",
                "jxl",
            ),
            *(
                "avif",
                "heic",
                "heif",
                "pgm",
                "ppm",
                "pbm",
                "pnm",
                "pam",
                "exr",
                "hdr",
                "svg",
                "psd",
                "ico",
                "tga",
            ),
            *(
                "czi",
                "lif",
                "lsm",
                "nd2",
                "oib",
                "oif",
                "vsi",
                "svs",
                "ims",
                "stk",
                "dcm",
                "dng",
                "cr2",
                "nef",
            ),
            *("fits", "fit", "mrc", "dm3", "dm4"),
        )
    }
)
"""Endings of images; those that a set does not read are told apart from text and tables."""


@dataclass(frozen=True)
class Listing:
    """What a folder of class folders holds, by name; nothing was opened."""

    root: Path
    files: Sequence[tuple[str, str | None]]
    """(path relative to `root`, class), sorted; the class is None for files directly in `root`."""
    ignored: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Reason -> paths relative to `root` that are not images of the set."""

    @property
    def paths(self) -> list[Path]:
        return [self.root / name for name, _ in self.files]

    def notes(self) -> dict[str, Json]:
        """Return what was ignored, by reason, each with a few examples."""
        return {
            reason: {"count": len(names), "first": list(names[:10])}
            for reason, names in sorted(self.ignored.items())
        }


def list_images(root: Path, suffixes: Collection[str], classes: Collection[str] | None = None) -> Listing:
    """List the image files of `root` (no class) and of its sub-folders (their names are the classes).

    Hidden files and those that operating systems create (`Thumbs.db`) are skipped silently. Links that
    lead out of `root`, other files and deeper folders are listed as ignored.

    Parameters
    ----------
    suffixes : of image files, lower case with the dot.
    classes : the sub-folders to look into; None means all, and the files directly in `root`.

    Raises
    ------
    DataError : `root` is not a folder that can be read.
    """
    files: list[tuple[str, str | None]] = []
    ignored: dict[str, list[str]] = {}
    for entry in _entries(root, root, ignored):
        if entry.is_dir():
            if classes is None or entry.name in classes:
                before = len(files)
                for inner in _entries(root, Path(entry.path), ignored):
                    _sort(inner, f"{entry.name}/{inner.name}", entry.name, suffixes, files, ignored)
                if len(files) == before:
                    ignored.setdefault(NO_FILES, []).append(entry.name)
        elif classes is None:
            _sort(entry, entry.name, None, suffixes, files, ignored)
    return Listing(root, sorted(files, key=lambda f: f[0]), {k: sorted(v) for k, v in ignored.items()})


def class_names(root: Path) -> list[str]:
    """Return the names of the sub-folders of `root` that are not hidden, sorted."""
    return sorted(e.name for e in _entries(root, root, {}) if e.is_dir())


def identical_files(paths: Sequence[Path]) -> list[list[int]]:
    """Return the groups of positions whose files have the same content, in order; empty files do not count.

    Only files that share their size are read. Unreadable files are left to the decoder.
    """
    from bench.util.durable import file_checksum

    by_size = _grouped(range(len(paths)), lambda i: paths[i].stat().st_size or None)
    by_content = (_grouped(group, lambda i: file_checksum(paths[i])) for group in by_size)
    return sorted(group for groups in by_content for group in groups)


def within(root: Path, name: str) -> Path | None:
    """Return the path that data names below `root`; None if it leads outside, also through links.

    Accepts both slashes; the file need not exist.
    """
    if not name or "\0" in name:
        return None
    try:
        path = (root / name.replace("\\", "/")).resolve()
        return path if path.is_relative_to(root.resolve()) else None
    except (OSError, RuntimeError):  # a name too long, or a link to itself
        return None


def _entries(root: Path, folder: Path, ignored: dict[str, list[str]]) -> Iterator[os.DirEntry[str]]:
    try:
        found = list(os.scandir(folder))
    except OSError as e:
        raise DataError(f"{folder}: cannot be listed: {e.strerror}") from None
    for entry in found:
        if entry.name.startswith(".") or entry.name.lower() in _JUNK:
            continue
        if entry.is_symlink() and not _stays_within(root.resolve(), Path(entry.path)):
            ignored.setdefault("links that lead out of the dataset", []).append(_relative(root, entry))
        else:
            yield entry


def _sort(
    entry: os.DirEntry[str],
    name: str,
    label: str | None,
    suffixes: Collection[str],
    files: list[tuple[str, str | None]],
    ignored: dict[str, list[str]],
) -> None:
    if not entry.is_file():
        ignored.setdefault("folders or special files where images are expected", []).append(name)
    elif os.path.splitext(entry.name)[1].lower() not in suffixes:  # noqa: PTH122  # ten times as fast
        other = os.path.splitext(entry.name)[1].lower() in _OTHER_FORMATS  # noqa: PTH122
        ignored.setdefault(NOT_READ if other else "files that are no images", []).append(name)
    else:
        files.append((name, label))


def _stays_within(root: Path, link: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return False


def _relative(root: Path, entry: os.DirEntry[str]) -> str:
    return Path(entry.path).relative_to(root).as_posix()


def _grouped(positions: Any, key: Any) -> list[list[int]]:
    groups: dict[Any, list[int]] = {}
    for i in positions:
        try:
            value = key(i)
        except OSError:
            continue
        if value is not None:
            groups.setdefault(value, []).append(i)
    return [group for group in groups.values() if len(group) > 1]
