"""One training in several processes of this machine: started, watched, and ended as one.

They are forks of the stage's process, which holds what they meet at (a TCP store) and trains nothing
itself. torch and Lightning Fabric see the environment that torchrun would give them.
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
    """Call `fit(weights, run)` in several processes that train together; what the first one writes counts.

    The facts and warnings of the first one become those of this process.

    Returns
    -------
    Bytes of GPU memory of the process that took most; None without a GPU.

    Raises
    ------
    DataError, MemoryError, torch.cuda.OutOfMemoryError, RuntimeError : as the first process that failed
        said; the others are ended. If one dies without a word, this process dies of the same.
    """
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    ranks = [_start(rank, processes, weights, run, fit, parent) for rank in range(processes)]
    store = TCPStore(_HERE, 0, is_master=True, wait_for_workers=False)  # only now: it brings threads
    for rank in ranks:
        rank.begin(store.port)
    said = _ended(ranks)
    run.facts.update(said[0]["facts"])
    for category, message in said[0]["warnings"]:
        warnings.warn(message, type(category, (Warning,), {}), stacklevel=2)
    return max((s["gpu_peak_bytes"] for s in said if s["gpu_peak_bytes"] is not None), default=None)


class _Rank:
    """One of the processes, as the one that started it sees it."""

    def __init__(self, rank: int, pid: int, port: int, answer: int) -> None:
        self.rank, self.pid, self._port, self.answer = rank, pid, port, answer
        self.text = b""
        self.status: int | None = None

    def begin(self, port: int) -> None:
        """Tell it where to meet the others."""
        with suppress(BrokenPipeError):
            os.write(self._port, f"{port}\n".encode())
        os.close(self._port)

    def read(self) -> bool:
        """Take in what it says; return whether it has ended."""
        data = os.read(self.answer, 1 << 16)
        self.text += data
        if not data:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return not data

    def end(self) -> None:
        """End it."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def said(self) -> dict[str, Any] | None:
        """Its last word; None if it died without one."""
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
    except BaseException:  # noqa: BLE001  # said in the log; the exit code says the rest
        traceback.print_exc()
    finally:
        os._exit(code)  # whatever happens, this process must not go on as a copy of its parent


def _environment(rank: int, world: int, port: str) -> dict[str, str]:
    named = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    more = {"GROUP_RANK": "0", "NODE_RANK": "0", "MASTER_ADDR": _HERE, "MASTER_PORT": port}
    elastic = {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
    return {k: str(v) for k, v in named.items()} | more | elastic | loopback


def _train(rank: int, weights: Path, run: Run, fit: Callable[[Path, Run], None]) -> dict[str, Any]:
    """Run `fit` and say how it went."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            if rank:  # what it writes is never read; it goes with the checkpoints
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
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]  # torch gives it no types
    peak = torch.cuda.max_memory_allocated() if used else None
    said = [(w.category.__name__, str(w.message)) for w in caught]
    return {"at": time.monotonic(), "facts": run.facts, "warnings": said, "gpu_peak_bytes": peak}


def _ended(ranks: list[_Rank]) -> list[dict[str, Any]]:
    """Wait for all, or for one to fail, which ends the others; return what they said."""
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
    return [said for rank in ranks if (said := rank.said) is not None]


def _raise_the_first(ranks: list[_Rank]) -> None:
    """Raise the error that came first: the others fail because that process is gone."""
    dead = [r for r in ranks if r.status is not None and r.said is None]
    failed = [(r, said) for r in ranks if (said := r.said) is not None and "error" in said]
    if failed:
        rank, said = min(failed, key=lambda f: float(f[1]["at"]))
        text = f"process {rank.rank} of {len(ranks)}: {said['error']}"
        known = _ERRORS.get(said["type"])
        raise known(text) if known else RuntimeError(f"{text} ({said['type']})")
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
