"""The run loop works with any executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import AdapterError, DataError
from bench.execute.executor import EXECUTORS, Executor, Work
from bench.execute.executors.local import LocalExecutor
from bench.execute.run import Options, State, run
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import Cell, make_plan
from bench.records.record import CellRecord, Status
from bench.records.results import Results
from bench.records.store import Store
from bench.stages.job import Outcome
from bench.suite import suitefile
from tests.conftest import TINY
from tests.execute import in_process
from tests.execute.in_process import InProcess

HERE = Path(__file__).parent


class Silent:
    def cell_done(self, cell: Cell, record: CellRecord, *, cached: bool) -> None: ...

    def tick(self, state: State) -> None: ...


def records(folder: Path, executor: type[Executor]) -> dict[str, CellRecord]:
    """Run a small suite in a separate folder."""
    folder.mkdir()
    (folder / "tiny.yaml").write_text(TINY)
    suite = suitefile.load(folder / "tiny.yaml", None, None)
    plan = make_plan(suite, Fingerprints(folder / "f.sqlite"))
    options = Options(jobs=2, executor=executor)
    results = Results(folder / "results", "tiny")
    return run(plan, Store(folder / "store"), results, options, Silent(), lambda: False)


@pytest.mark.slow
def test_an_executor_from_a_file_makes_the_same_records_as_processes(tmp_path: Path) -> None:
    own = EXECUTORS.load("./in_process.py", HERE).value
    there, here = records(tmp_path / "processes", LocalExecutor), records(tmp_path / "here", own)
    assert {r.status for r in here.values()} <= {Status.OK, Status.DEGENERATE}
    assert {k: r.essence() for k, r in here.items()} == {k: r.essence() for k, r in there.items()}
    assert (tmp_path / "here/results/tiny/logs").is_dir()


class Loses(InProcess):
    """Loses the worker of the first `times` stages."""

    times = 2

    def run(self, work: Work) -> Outcome:
        """Lose the stage, or run it."""
        if type(self).times:
            type(self).times -= 1
            return Outcome(error="the node was lost")
        return super().run(work)


@pytest.mark.slow
def test_a_lost_stage_is_rerun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Loses, "times", 2)
    assert not any(r.status.failed for r in records(tmp_path / "a", Loses).values())
    monkeypatch.setattr(Loses, "times", 1000)
    found = records(tmp_path / "b", Loses)
    assert {(r.status, r.error) for r in found.values()} == {
        (Status.BLOCKED, "synthesize ended as crash: the node was lost each time it ran")
    }


def test_an_exception_that_somebody_keeps_holds_no_claims(tmp_path: Path) -> None:
    class Broken(InProcess):
        """Cannot start anything."""

        def start(self, work: Work) -> None:
            """Fail."""
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left") as kept:
        records(tmp_path / "a", Broken)
    assert not list((tmp_path / "a" / "store" / "claims").iterdir()), kept


class Small(InProcess):
    """Never has room for clustering."""

    def has_room(self, work: Work) -> bool:
        """Refuse permanently."""
        if work.job.stage == "cluster":
            raise DataError("limits: this executor has 1 GiB; lower memory_gib")
        return super().has_room(work)


def test_a_stage_that_never_fits_fails_with_the_reason(tmp_path: Path) -> None:
    found = records(tmp_path / "a", Small)
    assert {(r.status, r.error, r.failed_stage) for r in found.values()} == {
        (Status.ERROR, "limits: this executor has 1 GiB; lower memory_gib", "cluster")
    }


def test_executors_are_found_like_adapters() -> None:
    assert EXECUTORS.names() == ["local"]
    assert EXECUTORS.load("local").value is LocalExecutor
    with pytest.raises(AdapterError, match="no executor named 'locale'; did you mean 'local'"):
        EXECUTORS.load("locale")
    assert in_process.InProcess is not EXECUTORS.load("in_process.py", HERE).value
