"""Runs checks in a process of their own, so that an adapter that crashes or hangs is an outcome too."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.contract.check import CheckOutcome, CheckStatus, ContractCheck, checks
from bench.contract.finding import find, load
from bench.contract.running import run
from bench.contract.subject import Sizes
from bench.errors import AdapterError, CutjoinError, UsageError
from bench.util.text import suggest

LIMIT_S = 120.0
_ENDING_S = 10.0
_STDERR = 2  # what an adapter prints must not mix with what `bench test` prints


@dataclass(frozen=True)
class Request:
    """What to test, and how."""

    words: tuple[str, ...]
    """`[KIND] NAME-or-FILE`."""
    params: dict[str, Any] = field(default_factory=dict)
    """Parameters of the adapter, as in a suite file."""
    only: tuple[str, ...] = ()
    """Names of checks; empty: all."""
    root: str = ""
    """Data of a dataset."""
    sizes: Sizes = field(default_factory=Sizes)
    limit_s: float = LIMIT_S
    """Seconds that a check may take."""


@dataclass(frozen=True)
class Found:
    """What the words meant."""

    kind: str
    name: str
    checks: tuple[str, ...]
    """Names of the checks that will run, in order."""


def outcomes(request: Request) -> Iterator[Found | CheckOutcome]:
    """Yield first what the words mean, then the outcome of each check.

    Raises
    ------
    AdapterError : the adapter cannot be loaded, or loading it ended the process.
    UsageError : the words, parameters or checks do not go together.
    """
    done: list[CheckOutcome] = []
    found: Found | None = None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        while found is None or len(done) < len(found.checks):
            before = len(done)
            for message in _process(request, done, Path(scratch)):
                if isinstance(message, CheckOutcome):
                    done.append(message)
                    yield message
                elif found is None:
                    found = message
                    yield found
            if found is None or len(done) == before:
                what = f"ends the process that imports it, or takes longer than {request.limit_s:g} s"
                raise AdapterError(f"{' '.join(request.words)}: it {what}")


def _process(request: Request, done: list[CheckOutcome], scratch: Path) -> Iterator[Found | CheckOutcome]:
    """Run what is left in one process; if that ends early, or a check takes too long, yield that too."""
    reader, writer = os.pipe()
    folder = tempfile.mkdtemp(dir=scratch)
    given = dataclasses.asdict(request) | {"done": [dataclasses.asdict(o) for o in done], "folder": folder}
    words = [sys.executable, "-P", "-m", "bench.contract.isolated", str(writer)]  # -P: not from this folder
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=_STDERR, pass_fds=(writer,), start_new_session=True
    )
    os.close(writer)
    current, started = "", time.monotonic()
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(given).encode())
        process.stdin.close()
        for line in _lines(reader, request.limit_s):
            message = json.loads(line)
            if "error" in message:
                raise {"AdapterError": AdapterError}.get(message["type"], UsageError)(message["error"])
            if "finished" in message:
                break
            if "begins" in message:
                current, started = message["begins"], time.monotonic()
            elif "kind" in message:
                yield Found(message["kind"], message["name"], tuple(message["checks"]))
            else:
                current = ""
                yield CheckOutcome(**{**message, "status": CheckStatus(message["status"])})
        timed_out = time.monotonic() - started >= request.limit_s
        if current and not timed_out:  # it is about to end by itself, and how is worth knowing
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_ENDING_S)
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    if current:
        how = f"it took more than {request.limit_s:g} s" if timed_out else _ending(code)
        seconds = round(time.monotonic() - started, 3)
        yield CheckOutcome(current, CheckStatus.FAILED, how, seconds=seconds)


def _ending(code: int) -> str:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"it ended the process: {how}"


def _lines(reader: int, limit_s: float) -> Iterator[bytes]:
    """Yield the lines of a pipe until it is closed, or silent for longer than the limit."""
    rest = b""
    while select.select([reader], [], [], limit_s)[0]:
        data = os.read(reader, 1 << 16)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _main(writer: int) -> None:
    """Do in the process of its own what standard input says; answer on a pipe, a JSON text a line."""

    def send(**message: Any) -> None:
        os.write(writer, json.dumps(message).encode() + b"\n")

    given = json.loads(sys.stdin.buffer.read())
    try:
        kind, use = find(given["words"])
        chosen = _chosen(checks(kind), given["only"])
        root = Path(given["root"]) if given["root"] else None
        subject = load(kind, use, given["params"], Path(given["folder"]), Sizes(**given["sizes"]), root)
    except CutjoinError as e:
        send(error=str(e), type=type(e).__name__)
        return
    send(kind=kind, name=use, checks=[c.name for c in chosen])
    done = [CheckOutcome(**{**o, "status": CheckStatus(o["status"])}) for o in given["done"]]
    ran = {o.check for o in done}
    for check in chosen:
        if check.name not in ran:
            send(begins=check.name)
            (outcome,) = run(subject, [check], done)
            done.append(outcome)
            send(**dataclasses.asdict(outcome))
    send(finished=True)


def _chosen(known: list[ContractCheck], only: list[str]) -> list[ContractCheck]:
    names = [c.name for c in known]
    for name in only:
        if name not in names:
            raise UsageError(f"--only {name}: there is no such check; {suggest(name, names)}")
    return [c for c in known if not only or c.name in only]


if __name__ == "__main__":
    _main(int(sys.argv[1]))
