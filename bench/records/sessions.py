"""Who is at work in a store: locks, and the names of runs, which carry host and boot.

A lock says for sure whether a run lives only to processes under the same kernel: network file systems may
keep locks to one node. So each run's name says where it runs, and a run elsewhere counts as dead only
after days without a sign of life.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import re
import secrets
import stat
import time
from pathlib import Path
from typing import IO

ELSEWHERE_S = 7 * 86400.0
"""A run on another host that gave no sign of life for this long is dead."""
DAY_S = 86400.0


def new_name() -> str:
    """Return a name for a run: process id, chance, boot and host."""
    return f"{os.getpid()}-{secrets.token_hex(6)}.{boot_id()}.{host_id()}"


def lives_here(name: str) -> bool:
    """Say whether a run of this name runs or ran on this host, so that its lock can be believed."""
    _, boot, host = [*name.split(".", 2), "", ""][:3]
    return (boot not in ("", "0") and boot == boot_id()) or host == host_id()


def seems_dead_elsewhere(paths: list[Path]) -> bool:
    """Say whether nothing below the paths has changed for so long that a run elsewhere must be dead."""
    now, newest = time.time(), 0.0
    for path in paths:
        for one in (path, *path.rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                newest = max(newest, last_use(one, now, mend=True))
    return now - newest > ELSEWHERE_S


def last_use(path: Path, now: float, *, mend: bool) -> float:
    """Return when a file or folder was last changed, s since 1970.

    A time stamp in the future, of a clock that was wrong, counts as `now`. With `mend` it is also set to
    that, so that what has it grows old like everything else.
    """
    changed = path.stat().st_mtime
    if mend and changed > now + DAY_S:
        with contextlib.suppress(PermissionError):
            os.utime(path, (now, now))
    return min(changed, now)


@functools.cache
def host_id() -> str:
    """Return a name of this host that no other has: its own name, and some digits of its machine id."""
    node = platform.node() or "unnamed"
    machine = b""
    with contextlib.suppress(OSError):
        machine = Path("/etc/machine-id").read_bytes()
    digits = hashlib.blake2b(node.encode("utf-8", "surrogateescape") + machine, digest_size=4).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9-]', '-', node)[:40]}-{digits}"


@functools.cache
def boot_id() -> str:
    """Return what the kernel drew when it started; 0 where it tells none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "0"


def lock_file(path: Path) -> IO[str] | None:
    """Open and lock a file; None if another process has it locked.

    The kernel unlocks it when the process dies, however it dies. The file may be another user's. Raises
    `PermissionError` if it can neither be read nor written, and `OSError` on a file system without locks:
    waiting for one would never end.
    """
    while True:
        handle = _open(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return None
        except OSError as e:
            handle.close()
            raise OSError(
                e.errno, f"cannot be locked; move the store to a local disk: {e.strerror}", str(path)
            ) from e
        try:
            if path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
                return handle
        except FileNotFoundError:
            pass
        handle.close()  # the file was removed in between by the one who held it


def _open(path: Path) -> IO[str]:
    """Open a lock file, and let every user who reaches its folder do the same."""
    while True:
        try:
            handle = path.open("a")
        except PermissionError:
            try:
                return path.open("r")  # of another user: a lock needs no more than reading
            except FileNotFoundError:
                if not os.access(path.parent, os.W_OK):
                    raise
                continue
        with contextlib.suppress(OSError):
            if stat.S_IMODE(os.fstat(handle.fileno()).st_mode) != 0o666:
                os.fchmod(handle.fileno(), 0o666)
        return handle
