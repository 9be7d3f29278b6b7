"""Stage processes as the run sees them: start, watch, limit, kill."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.execute.messages import Inbox
from bench.execute.shared_memory import SharedMemory
from bench.records.record import Status
from bench.stages.job import Allocation, Job, Outcome
from bench.util.linux import end_marked, kernel_oom_kills, memory_of, send, send_group, tree

_LOG_HEAD = 256 * 1024
_LOG_TAIL = 256 * 1024
_GRACE_S = 2.0
_DRAIN_LIMIT = 64


_START_S = 30.0
"""What the fork server may take to start, also if the first stage's limit is shorter."""
_RUN_VARIABLE = "CUTJOIN_RUN"
"""Environment variable by which the processes of a run are found that are nobody's children any more."""
_SEND_S = 60.0
"""A fork server that takes in no request for this long is lost."""


class ServerLost(RuntimeError):
    """The fork server died, and every stage it had started with it."""


class ServerHung(ServerLost):
    """The fork server did not start a stage within that stage's limit of wall time."""

    def __init__(self, culprit: Running) -> None:
        super().__init__()
        self.culprit = culprit


class Log:
    """Output of a stage: all of it if short, else its beginning and end."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self.left_out = 0

    def add(self, data: bytes) -> None:
        """Append bytes; memory is bounded."""
        room = _LOG_HEAD - len(self._head)
        self._head += data[:room]
        rest = data[room:] if room < len(data) else b""
        if rest:
            self._tail.append(rest)
            self._tail_size += len(rest)
        while self._tail and self._tail_size - len(self._tail[0]) >= _LOG_TAIL:
            dropped = self._tail.popleft()
            self._tail_size -= len(dropped)
            self.left_out += len(dropped)

    def bytes(self) -> bytes:
        """Return what was stored, with a note on how much was left out."""
        note = f"\n[... {self.left_out} bytes left out ...]\n".encode() if self.left_out else b""
        return bytes(self._head) + note + b"".join(self._tail)


@dataclass
class Running:
    """One stage process."""

    number: int
    key: str
    wall_s: float
    memory_bytes: int
    log_end: int
    message_end: int
    pid: int | None = None
    started: float = field(default_factory=time.monotonic)
    """When it was requested or, if that was later, when the fork server could take the request up."""
    log: Log = field(default_factory=Log)
    inbox: Inbox = field(default_factory=Inbox)
    shared: SharedMemory = field(default_factory=SharedMemory)
    peak_bytes: int = 0
    oom_kills_before: int = field(default_factory=kernel_oom_kills)
    end_reason: tuple[Status, str] | None = None
    """Status and error if we are ending it."""
    kill_at: float | None = None
    exit_code: int | None = None

    def seconds(self) -> float:
        """Return for how long it has been running, or is being started."""
        return time.monotonic() - self.started


class Workers:
    """Starts stage processes through a fork server; none exceeds its limits or outlives the run."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, Running] = {}
        self._numbers = 0
        self._inbox = b""
        self._next_check = 0.0
        self._link: socket.socket | None = None
        self._alive = -1
        self._guardian: subprocess.Popen[bytes] | None = None
        self._mark = secrets.token_hex(8)
        self._ready = False
        self._hung: Running | None = None

    def start(
        self,
        job: Job,
        given: Allocation,
        libraries: Sequence[str] = (),
        *,
        warm: bool,
        wall_s: float,
        memory_bytes: int,
    ) -> Running:
        """Start one stage.

        `libraries` are loaded, and with `warm` the adapter is warmed up, in the process
        that the stage is forked from. Raises `ServerLost` if the fork server died.
        """
        if self._link is None:
            self._open()
        assert self._link is not None
        self._numbers += 1
        log_end, log_start = os.pipe()
        message_end, message_start = os.pipe()
        running = Running(self._numbers, job.key, wall_s, memory_bytes, log_end, message_end)
        spec = job.adapter if warm else None
        request = {
            "start": running.number,
            "libraries": list(libraries),
            "warm": [spec.kind, spec.adapter.partition("@")[0]] if spec is not None else None,
            "job": job.model_dump(),
            "given": given.model_dump(),
        }
        try:
            body = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(self._link, [body], [log_start, message_start])
            self._link.sendall(body[sent:])
        except OSError:
            os.close(log_end)
            os.close(message_end)
            raise ServerLost from None
        finally:
            os.close(log_start)
            os.close(message_start)
        for end, take in ((log_end, self._take_log), (message_end, self._take_messages)):
            os.set_blocking(end, False)
            self._selector.register(end, selectors.EVENT_READ, (take, running))
        self._running[running.number] = running
        return running

    def wait(self, seconds: float) -> list[Running]:
        """Watch all stages for at most `seconds`; return those that ended.

        Raises `ServerLost` if the fork server died, and `ServerHung` if it did not start a stage in time.
        """
        if self._hung is not None:
            raise ServerHung(self._hung)
        ended: list[Running] = []
        answered = False
        for key, _ in self._selector.select(seconds):
            take, running = key.data
            if running is not None:
                take(running)
            answered |= running is None
        if answered:  # last, because it closes the pipes of ended stages
            ended = self._take_answers()
        self._enforce()
        return ended

    def running(self) -> list[Running]:
        """Return the stages that have not ended, oldest first."""
        return list(self._running.values())

    def end(self, running: Running, status: Status, reason: str, *, grace_s: float = _GRACE_S) -> None:
        """End a stage with all its processes; `wait` returns it once it has ended."""
        if running.end_reason is None:
            running.end_reason = (status, reason)
            running.kill_at = time.monotonic() + grace_s
            if running.pid is not None:
                send(tree(running.pid), signal.SIGTERM)

    def close(self) -> None:
        """Kill everything: stages, their descendants, fork server and guardian."""
        for running in self.running():
            self._kill(running)
            self._forget(running)
        if self._link is not None:
            self._selector.unregister(self._link)
            self._link.close()
            self._link = None
            os.close(self._alive)  # the guardian notices and kills the rest
        if self._guardian is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guardian.wait(5)
            self._guardian.kill()
            if self._guardian.wait() != 0:  # it was killed, and what it guarded may have lost its parents
                end_marked(_RUN_VARIABLE, self._mark)
            self._guardian = None
        self._inbox = b""
        self._ready, self._hung = False, None

    def _open(self) -> None:
        theirs, self._link = socket.socketpair()
        their_alive, self._alive = os.pipe()
        os.set_inheritable(self._alive, False)
        limits = {f"{lib}_NUM_THREADS": str(self._threads) for lib in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
        self._guardian = subprocess.Popen(
            # -P: a folder named bench in the working directory must not shadow this package
            [sys.executable, "-P", "-m", "bench.execute.guardian", str(their_alive), str(theirs.fileno())],
            pass_fds=(their_alive, theirs.fileno()),
            start_new_session=True,  # only the run receives Ctrl-C, and then ends the rest in order
            stdin=subprocess.DEVNULL,
            # numba's other layer on Linux, GNU OpenMP, kills every process that forks after its first use,
            # and CUDA does not work in forks once it has counted the GPUs; counting by NVML is safe
            env={
                **os.environ,
                **limits,
                _RUN_VARIABLE: self._mark,
                "NUMBA_THREADING_LAYER": "workqueue",
                "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
            },
        )
        theirs.close()
        os.close(their_alive)
        self._link.settimeout(_SEND_S)
        self._selector.register(self._link, selectors.EVENT_READ, (None, None))

    def _take_answers(self) -> list[Running]:
        assert self._link is not None
        try:
            data = self._link.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            raise ServerLost
        *lines, self._inbox = (self._inbox + data).split(b"\n")
        ended = []
        for line in lines:
            answer = json.loads(line)
            if "ended" not in answer:  # it is free for the next request
                self._ready = True
                for waiting in self._starting():
                    waiting.started = time.monotonic()
            running = self._running.get(answer.get("started") or answer.get("ended"))
            if running is None:
                continue
            if "started" in answer:
                running.pid = answer["pid"]
                if running.end_reason is not None:
                    send(tree(running.pid), signal.SIGTERM)
            else:
                running.exit_code = answer["code"]
                self._kill(running)  # leftover processes
                for _ in range(_DRAIN_LIMIT):  # a descendant may hold the pipe and write for a moment longer
                    if not self._take_log(running):
                        break
                self._take_messages(running)
                self._forget(running)
                ended.append(running)
        return ended

    def _starting(self) -> list[Running]:
        """Return the stages that the fork server has still to start, in the order in which it will."""
        return [r for r in self._running.values() if r.pid is None]

    def _take_log(self, running: Running) -> bool:
        data = self._read(running.log_end)
        running.log.add(data)
        return bool(data)

    def _take_messages(self, running: Running) -> None:
        for name in running.inbox.add(self._read(running.message_end)):
            running.shared.note(name)

    def _read(self, end: int) -> bytes:
        try:
            data = os.read(end, 1 << 20)
        except BlockingIOError:
            return b""
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(end)
        return data

    def _enforce(self) -> None:
        now = time.monotonic()
        check_memory = now >= self._next_check
        for running in self._running.values():
            if running.kill_at is not None and now >= running.kill_at:
                self._kill(running)
            elif running.pid is not None and running.end_reason is None:
                if running.seconds() > running.wall_s:
                    text = f"ended at the limit of {running.wall_s:g} s wall time"
                    self.end(running, Status.TIMEOUT, text)
                elif check_memory:
                    self._limit_memory(running)
        for first in self._starting()[:1]:
            limit = first.wall_s if self._ready else max(first.wall_s, _START_S)
            if first.seconds() > limit:
                text = f"ended at the limit of {limit:g} s wall time, while its libraries were being loaded"
                first.end_reason, self._hung = (Status.TIMEOUT, text), first
        if check_memory:
            spent = time.monotonic() - now
            self._next_check = now + max(0.05, 10 * spent)  # at most a tenth of our time

    def _limit_memory(self, running: Running) -> None:
        assert running.pid is not None
        processes = tree(running.pid)
        own = memory_of(processes)
        used = own + running.shared.measure(processes, running.memory_bytes - own)
        running.peak_bytes = max(running.peak_bytes, used)
        if used > running.memory_bytes:
            limit = running.memory_bytes / 2**30
            text = f"ended at the limit of {limit:.3g} GiB memory, using {used / 2**30:.3g} GiB"
            self.end(running, Status.OOM_HOST, text, grace_s=0.0)
            self._kill(running)

    def _kill(self, running: Running) -> None:
        if running.pid is not None:
            if running.exit_code is None:
                send(tree(running.pid), signal.SIGKILL)
            send_group(running.pid, signal.SIGKILL)

    def _forget(self, running: Running) -> None:
        self._running.pop(running.number, None)
        running.shared.remove()
        for end in (running.log_end, running.message_end):
            with contextlib.suppress(KeyError):
                self._selector.unregister(end)
            os.close(end)


def outcome_of(running: Running) -> Outcome:
    """Return how a stage ended: why we ended it, what it reported, or else by its exit code."""
    if running.end_reason is not None:
        status, reason = running.end_reason
        return Outcome(status=status, error=reason)
    if running.inbox.outcome is not None:
        return running.inbox.outcome
    code = running.exit_code
    if code == -signal.SIGKILL and kernel_oom_kills() > running.oom_kills_before:
        return Outcome(
            status=Status.OOM_HOST, error="the kernel ended the process: the machine ran out of memory"
        )
    if code is None or code >= 0:
        return Outcome(status=Status.CRASH, error=f"the process exited with code {code} without a result")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return Outcome(status=Status.CRASH, error=f"the process died of {name}")
