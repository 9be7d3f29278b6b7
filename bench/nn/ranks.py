"""One training in several processes of this machine: started, watched, and ended as one.

They are forks of the stage's process, which hosts their rendezvous (a TCP store) and trains nothing
itself. torch and Lightning Fabric see the environment variables that torchrun would set.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch's own documentation does so

from bench.errors import DataError
from bench.interfaces import Run
from bench.util.linux import die_with_parent

_HERE = "127.0.0.1"
_ERRORS: dict[str, type[Exception]] = {
    "DataError": DataError,
    "MemoryError": MemoryError,
    "OutOfMemoryError": torch.cuda.OutOfMemoryError,
}


def in_parallel(processes: int, weights: Path, run: Run, fit: Callable[[Path, Run], None]) -> int | None:
    """Call `fit(weights, run)` in several processes that train together; only the first one's files are used.

    The facts and warnings of the first one become those of this process.

    Returns
    -------
    Peak GPU memory in bytes of the process that used most; None without a GPU.

    Raises
    ------
    DataError, MemoryError, torch.cuda.OutOfMemoryError, RuntimeError : as raised by the first
        process that failed; the others are killed. If one dies without reporting, this process exits in the
        same way.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    ranks = [_start(rank, processes, weights, run, fit, parent) for rank in range(processes)]
    store = TCPStore(
        _HERE, 0, is_master=True, wait_for_workers=False
    )  # only now, after the forks: it starts threads
    for rank in ranks:
        rank.begin(store.port)
    results = _results(ranks)
    run.facts.update(results[0]["facts"])
    for category, message in results[0]["warnings"]:
        warnings.warn(message, type(category, (Warning,), {}), stacklevel=2)
    return max((r["gpu_peak_bytes"] for r in results if r["gpu_peak_bytes"] is not None), default=None)


class _Rank:
    """The parent's handle of one process."""

    def __init__(self, rank: int, pid: int, port: int, answer: int) -> None:
        self.rank, self.pid, self._port, self.answer = rank, pid, port, answer
        self.text = b""
        self.status: int | None = None

    def begin(self, port: int) -> None:
        """Send it the port of the rendezvous."""
        with suppress(BrokenPipeError):
            os.write(self._port, f"{port}\n".encode())
        os.close(self._port)

    def read(self) -> bool:
        """Read from its pipe; return whether it has ended."""
        data = os.read(self.answer, 1 << 16)
        self.text += data
        if not data:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return not data

    def end(self) -> None:
        """Kill it, if it still runs."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def result(self) -> dict[str, Any] | None:
        """What it reported at its end; None if it died without reporting."""
        return json.loads(self.text) if self.text.endswith(b"\n") else None


def _start(
    rank: int, world: int, weights: Path, run: Run, fit: Callable[[Path, Run], None], parent: int
) -> _Rank:
    (port_end, port_start), (answer_end, answer_start) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid:
        os.close(port_end)
        os.close(answer_start)
        return _Rank(rank, pid, port_start, answer_end)
    os.close(port_start)
    os.close(answer_end)
    code = 70
    try:
        die_with_parent(parent)
        port = os.read(port_end, 64).decode().strip()
        os.environ.update(_environment(rank, world, port))
        answer = _train(rank, weights, run, fit)
        os.write(answer_start, json.dumps(answer, default=str).encode() + b"\n")
        code = 0
    except BaseException:  # noqa: BLE001  # printed to the log; the exit code tells the parent
        traceback.print_exc()
    finally:
        os._exit(code)  # whatever happens, the fork must not continue as a copy of its parent


def _environment(rank: int, world: int, port: str) -> dict[str, str]:
    named = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    more = {"GROUP_RANK": "0", "NODE_RANK": "0", "MASTER_ADDR": _HERE, "MASTER_PORT": port}
    elastic = {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    return {k: str(v) for k, v in named.items()} | more | elastic | loopback


def _train(rank: int, weights: Path, run: Run, fit: Callable[[Path, Run], None]) -> dict[str, Any]:
    """Run `fit` and return its result or error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            if rank:  # what it writes is never read, and is deleted with the checkpoints
                weights = run.checkpoints / f"rank-{rank}"
                weights.mkdir(exist_ok=True)
                run = replace(run, facts={}, report=lambda *_: None)
            fit(weights, run)
        except BaseException as e:  # noqa: BLE001  # whatever it is, it is the stage's error
            if not isinstance(e, DataError):
                traceback.print_exc()
            kind = "DataError" if isinstance(e, DataError) else type(e).__name__
            return {"at": time.monotonic(), "error": str(e), "type": kind}
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # untyped in torch
    peak = torch.cuda.max_memory_allocated() if used else None
    messages = [(w.category.__name__, str(w.message)) for w in caught]
    return {"at": time.monotonic(), "facts": run.facts, "warnings": messages, "gpu_peak_bytes": peak}


def _results(ranks: list[_Rank]) -> list[dict[str, Any]]:
    """Wait for all, or for one to fail, then kill the others; return what they reported."""
    try:
        with selectors.DefaultSelector() as selector:
            for rank in ranks:
                selector.register(rank.answer, selectors.EVENT_READ, rank)
            while selector.get_map():
                ready = [key.data for key, _ in selector.select()]
                for rank in ready:
                    if rank.read():
                        selector.unregister(rank.answer)
                _raise_the_first(ranks)
    finally:
        for rank in ranks:
            rank.end()
    return [result for rank in ranks if (result := rank.result) is not None]


def _raise_the_first(ranks: list[_Rank]) -> None:
    """Raise the earliest error: the other processes fail because that one is gone."""
    dead = [r for r in ranks if r.status is not None and r.result is None]
    failed = [(r, result) for r in ranks if (result := r.result) is not None and "error" in result]
    if failed:
        rank, result = min(failed, key=lambda f: float(f[1]["at"]))
        text = f"process {rank.rank} of {len(ranks)}: {result['error']}"
        known = _ERRORS.get(result["type"])
        raise known(text) if known else RuntimeError(f"{text} ({result['type']})")
    if dead:
        _die_like(dead[0], ranks)


def _die_like(rank: _Rank, ranks: list[_Rank]) -> NoReturn:
    code = rank.status or 70
    print(f"process {rank.rank} of {len(ranks)} ended with code {code} and no result", file=sys.stderr)
    for other in ranks:
        other.end()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code if code > 0 else 70)
