"""A small process that outlives a killed run just long enough to kill everything the run started.

Started by the run, it starts the fork server. Every descendant whose parent
dies becomes its child, so nothing can escape: neither a daemon detached by an
adapter nor the workers of a killed stage. When the run has ended, however it
ended, the guardian kills all of them and exits.
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

_POLL_S = 0.25


def main() -> None:
    """Guard one run. Arguments: a pipe that closes when the run ends, and the fork server's socket."""
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
    while not select.select([alive], [], [], _POLL_S)[0]:
        if server.poll() is not None:
            break
        end_strays(server.pid)
    end_all()


def end_strays(server: int) -> None:
    """Kill adopted children of this process, i.e. all but the fork server."""
    for child in psutil.Process().children():
        if child.pid != server:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)


def end_all() -> None:
    """Kill every descendant, also those started meanwhile."""
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
