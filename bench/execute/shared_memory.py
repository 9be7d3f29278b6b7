"""Memory that a stage shares or keeps in files of memory: it counts, and it does not outlive the stage.

Such memory is in no process's own: maps of `mmap(-1, ...)`, files in /dev/shm (`multiprocessing`, workers
of torch, or written there), and `memfd` files. What lies in /dev/shm is a stage's if a process of it has
the file open or mapped, and it was not there when the stage began. On systems without /proc nothing is found.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_FOLDER = Path("/dev/shm")  # noqa: S108  # only listed; nothing is written there
_KINDS = ("/dev/shm/", "/memfd:", "/dev/zero", "/SYSV")  # noqa: S108
_GONE = " (deleted)"


@dataclass
class SharedMemory:
    """What the processes of one stage share."""

    _before: frozenset[int] = field(default_factory=lambda: frozenset(_inodes(_FOLDER)))
    _files: dict[int, str] = field(default_factory=dict)
    """Inode -> path of the files in /dev/shm that are the stage's."""
    _announced: set[str] = field(default_factory=set)
    """Names that the stage is about to open: the file may not be there yet when we are told."""

    def measure(self, processes: Sequence[psutil.Process], enough: int) -> int:
        """Return the bytes in use; to be called often, since files are found while they are open.

        Maps that several processes share are told apart only if the sum might be over `enough`: it is slow.
        """
        self._look_for_announced()
        files: dict[int, int] = {}
        mapped: list[int] = []
        for process in processes:
            for inode, path, size in _open_files(process.pid):
                files[inode] = size
                self._note(inode, path)
            if (resident := _resident(process.pid)) > 0:
                mapped.append(resident)
                for inode, path in _maps(process.pid):
                    self._note(inode, path)
        for inode, name in self._files.items():
            if inode not in files and (found := _stat(Path(name))) is not None and found.st_ino == inode:
                files[inode] = found.st_blocks * 512
        files = {inode: size for inode, size in files.items() if inode not in self._before}
        total = sum(files.values())
        if total + sum(mapped) <= enough:
            return max(total, max(mapped, default=0))
        parts = [part for p in processes for part in _parts(p.pid)]
        return total + sum(size for inode, size in parts if inode not in files)

    def note(self, name: str) -> None:
        """Take a file in /dev/shm for the stage's, because the stage says that it opens it."""
        self._announced.add(name)
        self._look_for_announced()

    def remove(self) -> None:
        """Remove the stage's files in /dev/shm that are still there."""
        self._look_for_announced()
        for inode, name in self._files.items():
            path = Path(name)
            found = _stat(path)
            if found is None or found.st_ino != inode:
                continue
            with contextlib.suppress(OSError):
                path.unlink()
                for folder in path.relative_to(_FOLDER).parents[:-1]:
                    if (_FOLDER / folder).stat().st_ino not in self._before:
                        (_FOLDER / folder).rmdir()
        self._files.clear()

    def _look_for_announced(self) -> None:
        for name in list(self._announced):
            found = _stat(Path(name))
            if found is not None:
                self._announced.discard(name)
                if stat.S_ISREG(found.st_mode):
                    self._note(found.st_ino, os.path.normpath(name))

    def _note(self, inode: int, path: str) -> None:
        if path.startswith(f"{_FOLDER}/") and not path.endswith(_GONE) and inode not in self._before:
            self._files[inode] = path


def _open_files(pid: int) -> Iterator[tuple[int, str, int]]:
    """Yield inode, path and bytes in memory of the files of memory that a process has open."""
    for name in _listed(Path(f"/proc/{pid}/fd")):
        link = f"/proc/{pid}/fd/{name}"
        with contextlib.suppress(OSError):
            path = os.readlink(link)  # noqa: PTH115  # the target need not be a path
            if path.startswith(_KINDS):
                found = os.stat(link)  # noqa: PTH116
                yield found.st_ino, path, found.st_blocks * 512


def _resident(pid: int) -> int:
    """Return the bytes of shared memory that are mapped and resident."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
            if line.startswith("RssShmem:"):
                return int(line.split()[1]) * 1024
    return 0


def _maps(pid: int) -> Iterator[tuple[int, str]]:
    """Yield inode and path of each map of a file of memory."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
            word = line.split(maxsplit=5)
            if len(word) > 5 and word[5].startswith(_KINDS):
                yield int(word[4]), word[5]


def _parts(pid: int) -> Iterator[tuple[int, int]]:
    """Yield inode and this process's part of the bytes of each shared map."""
    inode, path = 0, ""
    if not _resident(pid):
        return
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/smaps").open(errors="replace") as lines:
        for line in lines:
            word = line.split(maxsplit=5)
            if word[0] == "Pss:" and path.startswith(_KINDS):
                yield inode, int(word[1]) * 1024
            elif not word[0].endswith(":"):
                inode, path = int(word[4]), word[5] if len(word) > 5 else ""


def announce(send: Callable[[str], None]) -> None:
    """Have this process and its forks tell the name of each file in /dev/shm that they open.

    One that is closed at once would not be seen by who looks now and then. What is opened by other means
    than Python's own is seen only by looking.
    """

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        name = os.fsdecode(arguments[0])
        if name.startswith(f"{_FOLDER}/"):
            send(name)

    sys.addaudithook(hook)
    with contextlib.suppress(ImportError):
        posix: Any = importlib.import_module("_posixshmem")  # where there is one
        original = posix.shm_open

        def shm_open(path: str, *more: Any, **named: Any) -> int:
            handle: int = original(path, *more, **named)
            send(f"{_FOLDER}/{path.lstrip('/')}")
            return handle

        posix.shm_open = shm_open


def _inodes(folder: Path) -> Iterator[int]:
    for at, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if (found := _stat(Path(at, name))) is not None:
                yield found.st_ino


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (OSError, ValueError):  # ValueError: no name that a file can have
        return None


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  # thousands of times: names are enough
    except OSError:
        return []
