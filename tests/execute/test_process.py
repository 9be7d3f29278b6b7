"""Limits hold from the request on, also while the fork server is still to start the stage."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.execute.executor import Ended, Setup, Work
from bench.execute.node import Node
from bench.execute.process import Running, outcome_of
from bench.records.record import Status
from bench.records.store import Store
from bench.stages.job import Job, Outcome
from bench.suite.schema import Limits
from bench.util.linux import kernel_oom_kills


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    (tmp_path / "hangs_when_imported.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Store(tmp_path / "store").session() as session:
        node = Node(Setup(tmp_path / "store", session, threads=1, device="cpu"))
        yield node
        node.close()


def work(number: int, wall_s: float, *libraries: str) -> Work:
    """A stage without inputs: it fails at once, when it runs."""
    job = Job(stage="score", key=f"{number:032x}")
    return Work(job, Limits(wall_s=wall_s), libraries, built_in=True)


def ends(node: Node, count: int = 1, seconds: float = 60) -> dict[str, Ended]:
    """Wait for so many stages to end."""
    found: dict[str, Ended] = {}
    until = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < until, "waited in vain"
        found |= {e.key: e for e in node.wait(0.05)}
    return found


def warmed(node: Node) -> Node:
    node.start(work(99, 60))
    ends(node)
    return node


def test_a_server_that_hangs_in_an_import_is_ended_at_the_limit(node: Node):
    hanging, innocent = work(1, 2, "hangs_when_imported"), work(2, 60)
    warmed(node).start(hanging)
    node.start(innocent)
    asked = time.monotonic()
    found = ends(node, 2)
    assert 2 < time.monotonic() - asked < 10
    outcome = found[hanging.job.key].outcome
    assert (outcome.status, outcome.error) == (
        Status.TIMEOUT,
        "ended at the limit of 2 s wall time, while its libraries were being loaded",
    )
    assert found[innocent.job.key].outcome.status is None  # lost: it runs again
    node.start(innocent)
    assert ends(node)[innocent.job.key].outcome.status is Status.ERROR


def test_a_server_that_is_stopped_is_ended_at_the_limit(node: Node):
    warmed(node)
    servers = [
        p for p in psutil.Process().children(recursive=True) if "bench.execute.forkserver" in p.cmdline()
    ]
    assert len(servers) == 1
    servers[0].send_signal(signal.SIGSTOP)
    node.start(work(1, 1))
    assert ends(node, seconds=10)[work(1, 1).job.key].outcome.status is Status.TIMEOUT
    assert not servers[0].is_running()


def test_who_waits_for_another_to_load_is_not_charged_for_it(node: Node, tmp_path: Path):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(3)\n")
    warmed(node).start(work(1, 60, "slow_to_import"))
    node.start(work(2, 2))
    assert {e.outcome.status for e in ends(node, 2).values()} == {Status.ERROR}


def test_a_server_that_never_starts_is_ended(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bench.execute.process._START_S", 1.0)
    (tmp_path / "pandas.py").write_text("import time\ntime.sleep(600)\n")
    node.start(work(1, 0.5))
    assert ends(node, seconds=20)[work(1, 1).job.key].outcome.status is Status.TIMEOUT


def test_requests_to_a_server_that_takes_none_in_do_not_block_the_run(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bench.execute.process._SEND_S", 0.5)
    warmed(node)
    (server,) = [
        p for p in psutil.Process().children(recursive=True) if "bench.execute.forkserver" in p.cmdline()
    ]
    os.kill(server.pid, signal.SIGSTOP)
    big = work(1, 60)
    for number in range(1, 6):
        job = big.job.model_copy(update={"key": f"{number:032x}", "params": {"x": "y" * 100_000}})
        node.start(Work(job, big.limits))
    assert {e.outcome.status for e in ends(node, 5, seconds=20).values()} == {None}


def test_a_detached_child_does_not_outlive_a_killed_guardian(node: Node, tmp_path: Path):
    sleep = ["sleep", f"86399.{os.getpid()}"]
    (tmp_path / "leaves_a_child.py").write_text(
        f"import subprocess\nsubprocess.Popen({sleep!r}, start_new_session=True)\n"
    )
    node.start(work(1, 60, "leaves_a_child"))
    ends(node)
    children = psutil.Process().children(recursive=True)
    (detached,) = [p for p in children if p.cmdline() == sleep]
    (guardian,) = [p for p in children if "bench.execute.guardian" in p.cmdline()]
    guardian.kill()
    node.start(work(2, 60))
    assert ends(node)[work(2, 60).job.key].outcome.status in (None, Status.ERROR)
    node.close()
    assert not detached.is_running() or detached.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("code", "kills", "status", "text"),
    [
        (-signal.SIGKILL, 1, Status.OOM_HOST, "the kernel ended the process: the machine ran out of memory"),
        (-signal.SIGKILL, 0, Status.CRASH, "the process died of SIGKILL"),
        (-signal.SIGSEGV, 1, Status.CRASH, "the process died of SIGSEGV"),
        (-250, 0, Status.CRASH, "the process died of signal 250"),
        (70, 1, Status.CRASH, "the process exited with code 70 without a result"),
    ],
)
def test_how_a_process_died_is_told(code: int, kills: int, status: Status, text: str):
    """The kernel counts what its out-of-memory killer ends; a process that it ended dies of SIGKILL."""
    running = Running(1, "a", 60, 1 << 30, -1, -1, oom_kills_before=kernel_oom_kills() - kills)
    running.exit_code = code
    assert outcome_of(running) == Outcome(status=status, error=text)


def test_what_a_stage_says_counts_for_more_than_its_exit_and_what_we_did_to_it_most():
    running = Running(1, "a", 60, 1 << 30, -1, -1, exit_code=-signal.SIGKILL)
    running.inbox.outcome = Outcome(status=Status.OK)
    assert outcome_of(running).status is Status.OK
    running.end_reason = (Status.TIMEOUT, "ended at the limit")
    assert outcome_of(running) == Outcome(status=Status.TIMEOUT, error="ended at the limit")
