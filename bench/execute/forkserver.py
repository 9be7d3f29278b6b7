"""A process that preloads the libraries and forks one process per stage.

A fork with everything imported takes milliseconds; a fresh interpreter would take
seconds. The server runs no adapter code except importing the declared libraries
and, for built-in adapters, `warm_up`. It keeps no threads, so forking stays safe.

Requests and answers are lines of JSON on a socket:
    {"start": id, "libraries": [...], "warm": [kind, name] or null, "job": {...}, "given": {...}}
        with two file descriptors, log and messages
    {"ready": true}, once    {"started": id, "pid": n}    {"ended": id, "code": n}  (n < 0: by that signal)
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

from bench.adapters import registry
from bench.util.linux import die_with_parent

BASE_LIBRARIES = (
    "pandas",
    "pyarrow.parquet",
    "scipy.optimize",
    "bench.imaging.prepare",
    "bench.imaging.selection",
    "bench.metrics.score",
    "bench.stages.run",
    "bench.execute.child",
    "threadpoolctl",
)


def main() -> None:
    """Serve until the run closes the socket. Arguments: the socket, and the guardian's process id."""
    link = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent(int(sys.argv[2]))
    _load(BASE_LIBRARIES)
    _Server(link).serve()


class _Server:
    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._ids: dict[int, int] = {}
        self._warm: set[tuple[str, str]] = set()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def serve(self) -> None:
        self._answer({"ready": True})
        with selectors.DefaultSelector() as selector:
            selector.register(self._link, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._link:
                        request, handles = _receive(self._link)
                        if request is None:
                            return
                        self._start(request, handles, selector)
                    else:
                        os.read(self._wake_read, 4096)
                self._reap()

    def _start(self, request: dict[str, Any], handles: list[int], selector: selectors.BaseSelector) -> None:
        _load(request["libraries"])
        self._warm_up(request["warm"])
        log, messages = handles
        sys.stdout.flush()
        sys.stderr.flush()
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                selector.close()
                for handle in (self._link.fileno(), self._wake_read, self._wake_write):
                    os.close(handle)
                from bench.execute.child import run

                code = run(request, log, messages, server)
            finally:
                os._exit(code)
        self._ids[pid] = request["start"]
        os.close(log)
        os.close(messages)
        self._answer({"started": request["start"], "pid": pid})

    def _warm_up(self, adapter: list[str] | None) -> None:
        if adapter is None or (adapter[0], adapter[1]) in self._warm:
            return
        self._warm.add((adapter[0], adapter[1]))
        try:
            registry.load(adapter[0], adapter[1]).warm_up()
        except Exception:  # noqa: BLE001  # the stage will hit the same error, and there it becomes a record
            traceback.print_exc()
        gc.collect()
        gc.freeze()

    def _reap(self) -> None:
        for pid in list(self._ids):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                self._answer({"ended": self._ids.pop(pid), "code": os.waitstatus_to_exitcode(status)})

    def _answer(self, body: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._link.sendall(json.dumps(body).encode() + b"\n")


def _receive(link: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    data, handles, _, _ = socket.recv_fds(link, 1 << 16, 2)
    while data and not data.endswith(b"\n"):
        more, extra, _, _ = socket.recv_fds(link, 1 << 16, 2)
        if not more:
            return None, []
        data, handles = data + more, handles + extra
    return (json.loads(data), handles) if data else (None, [])


def _load(modules: tuple[str, ...] | list[str]) -> None:
    fresh = [m for m in modules if m not in sys.modules]
    for module in fresh:
        # A failed import fails in the stage too, and there it becomes a record.
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(module)
    if fresh:
        gc.collect()
        gc.freeze()  # so that forks share these pages


if __name__ == "__main__":
    main()
