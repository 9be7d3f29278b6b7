"""The process of one stage: set up, run the stage, report the outcome."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from bench.execute.messages import line_of, progress_of
from bench.execute.shared_memory import announce
from bench.util.linux import die_with_parent

_REPORT_EVERY_S = 0.1


def run(request: dict[str, Any], log: int, messages: int, server: int) -> int:
    """Run one stage in this freshly forked process; return its exit code.

    `log` becomes stdout and stderr. Progress and, last, the outcome are lines of JSON on `messages`.
    """
    os.setsid()  # a separate process group, so that the whole stage can be killed at once
    die_with_parent(server)
    for default in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(default, signal.SIG_DFL)
    with open(os.devnull) as nothing:  # noqa: PTH123  # a device
        os.dup2(nothing.fileno(), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for number, name in ((1, "stdout"), (2, "stderr")):  # no character may end a stage, whatever the locale
        stream = open(number, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        setattr(sys, name, stream)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s", force=True)
    random.seed(0)

    from bench.stages.job import Allocation, Job
    from bench.stages.run import execute

    announce(lambda name: _tell(messages, {"shared": name}))
    job, given = Job.model_validate(request["job"]), Allocation.model_validate(request["given"])
    if given.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(given.gpus)
    given = given.model_copy(update={"device": _device(given.device, given.gpus)})
    for library in ("torch", "cv2"):  # these ignore the environment variables
        _set_threads(library, job.threads)
    with _limited_threads(job.threads):
        outcome = execute(job, given, _reporter(messages))
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os.write(messages, b"\n" + line_of({"outcome": outcome.model_dump()}))  # whatever stands before it
    return 0


@contextlib.contextmanager
def _limited_threads(n: int) -> Iterator[None]:
    """Limit numeric libraries to n threads; nothing to do if the server started with this limit."""
    if os.environ.get("OMP_NUM_THREADS") == str(n):
        yield
        return
    from threadpoolctl import threadpool_limits

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(n)  # for subprocesses and libraries not yet loaded
    with threadpool_limits(n):
        yield


def _set_threads(library: str, n: int) -> None:
    module = sys.modules.get(library)
    if module is not None:
        (module.set_num_threads if library == "torch" else module.setNumThreads)(n)


def _device(requested: str, gpus: Sequence[str]) -> str:
    """Resolve "auto": a GPU if any is allocated, or if torch is loaded and finds one."""
    if gpus:
        return "cuda"  # the first visible one: only allocated GPUs are visible
    torch = sys.modules.get("torch")
    if requested != "auto":
        return requested
    return "cuda" if torch is not None and torch.cuda.is_available() else "cpu"


def _tell(messages: int, body: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # an adapter may have closed it
        os.write(messages, line_of(body))


def _reporter(messages: int) -> Any:
    last = 0.0

    def report(done: int, total: int | None, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _REPORT_EVERY_S and done != total:
            return
        last = now
        progress = progress_of(done, total, text)
        if progress is not None:
            _tell(messages, dict(zip(("done", "total", "text"), progress, strict=True)))

    return report
