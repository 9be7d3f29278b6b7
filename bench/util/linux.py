"""What Python's standard library lacks about processes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants, as far as they still exist."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_of(processes: list[psutil.Process]) -> int:
    """Return the bytes of memory that the processes use and that are not backed by a file."""
    return sum(_anonymous(p.pid) for p in processes)


def send(processes: list[psutil.Process], what: signal.Signals) -> None:
    """Send a signal to each process that still exists."""
    for p in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            p.send_signal(what)


def send_group(leader: int, what: signal.Signals) -> None:
    """Send a signal to a process group, if any process of it is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, what)


def end_marked(variable: str, value: str, seconds: float = 5.0) -> None:
    """Kill every process that was started with this environment variable, also those born meanwhile."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = [p for p in psutil.process_iter() if p.pid != os.getpid() and _has(p, variable, value)]
        if not found:
            return
        send(found, signal.SIGKILL)
        time.sleep(0.02)


def _has(process: psutil.Process, variable: str, value: str) -> bool:
    try:
        return process.environ().get(variable) == value
    except (psutil.Error, OSError):
        return False


def kernel_oom_kills() -> int:
    """Return how many processes the out-of-memory killer has ended since boot; 0 if unknown."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _anonymous(pid: int) -> int:
    """Return resident memory less mapped files: the kernel can drop pages of a memory map at any time."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
        return (int(fields[1]) - int(fields[2])) * _PAGE
    except (OSError, IndexError):
        try:
            return int(psutil.Process(pid).memory_info().rss) if sys.platform != "linux" else 0
        except psutil.Error:
            return 0
