"""A small process that outlives a killed run just long enough to end everything the run started.

Started by the run, it starts the fork server. Every descendant whose parent
dies becomes its child, so nothing can escape: not a daemon that an adapter
detached, not the workers of a killed stage. When the run is gone, however it
went, the guardian ends all of them and itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

import psutil

from bench.util.linux import adopt_orphans

_LOOK_EVERY_S = 0.25


def main() -> None:
    """Guard one run. Arguments: the end of a pipe that closes with the run, and the fork server's socket."""
    alive, server_socket = int(sys.argv[1]), int(sys.argv[2])
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    adopt_orphans()
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "bench.execute.forkserver", str(server_socket), str(os.getpid())],
        pass_fds=(server_socket,),
        stdin=subprocess.DEVNULL,
    )
    os.close(server_socket)
    while not select.select([alive], [], [], _LOOK_EVERY_S)[0]:
        if server.poll() is not None:
            break
        end_strays(server.pid)
    end_all()


def end_strays(server: int) -> None:
    """End what has come to be a child of this process but is not the fork server."""
    for child in psutil.Process().children():
        if child.pid != server:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)


def end_all() -> None:
    """End every descendant, also those that are born meanwhile."""
    me = psutil.Process()
    while children := me.children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        select.select([], [], [], 0.01)


if __name__ == "__main__":
    main()
