"""GPU allocation: shares are never exceeded, and stages without a GPU do not wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.execute import gpus
from bench.execute.executors.local import LocalExecutor
from bench.execute.gpus import Gpus, visible_gpus
from bench.execute.run import Options, State, run
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import Cell, make_plan
from bench.records.record import CellRecord
from bench.records.results import Results
from bench.records.store import Store
from bench.suite import suitefile

PARALLEL = Path(__file__).parent / "parallel"


class Silent:
    def cell_done(self, cell: Cell, record: CellRecord, *, cached: bool) -> None: ...

    def tick(self, state: State) -> None: ...


def spans(folder: Path, share: float) -> dict[int, tuple[float, float, str, str]]:
    """Run four stages that use a GPU and two that do not; return when and where each worked."""
    diary = folder / "diary"
    diary.mkdir()
    methods = "".join(
        f"  - {{name: m{i}, encoder: {{use: {PARALLEL}/{kind}.py, number: {i}, diary: {diary}}}, "
        "clusterer: {use: kmeans, k: 1}}\n"
        for i, kind in enumerate(["occupies"] * 4 + ["free"] * 2)
    )
    (folder / "s.yaml").write_text(
        "seeds: [0]\nbaselines: false\nbootstrap: {replicates: 0}\n"
        f"limits: {{memory_gib: 2, gpu_share: {share}}}\n"
        "datasets: [{name: made, use: kaggle_plankton, size: 16, synthetic: {images: 24}}]\n"
        f"methods:\n{methods}"
    )
    plan = make_plan(suitefile.load(folder / "s.yaml", None, None), Fingerprints(folder / "f.sqlite"))
    options = Options(executor=LocalExecutor, jobs=6)
    results = Results(folder / "results", "s")
    records = run(plan, Store(folder / "store"), results, options, Silent(), lambda: False)
    assert not [r.error for r in records.values() if r.status.failed]
    found = [p.read_text().split() for p in diary.iterdir()]
    return {int(n): (float(a), float(b), device, seen) for n, a, b, device, seen in found}


def overlaps(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


@pytest.mark.slow
def test_each_gpu_has_one_stage_at_a_time_and_others_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _driver(monkeypatch, None, ("3", "GPU-5"))
    found = spans(tmp_path, 1.0)
    using, free = [found[i] for i in range(4)], [found[i] for i in (4, 5)]
    assert {s[3] for s in using} == {"3", "GPU-5"}
    assert {s[2] for s in using} == {"cuda"}
    assert {s[2:] for s in free} == {("cpu", "none")}
    for i, a in enumerate(using):
        assert not any(overlaps(a[:2], b[:2]) for b in using[i + 1 :] if b[3] == a[3])
    assert any(overlaps(f[:2], u[:2]) for f in free for u in using)


@pytest.mark.slow
def test_half_a_gpu_each_lets_two_stages_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _driver(monkeypatch, None, ("0",))
    found = spans(tmp_path, 0.5)
    using = [found[i] for i in range(4)]
    assert {s[3] for s in using} == {"0"}
    at_once = [sum(a[0] <= b[0] < a[1] for a in using) for b in using]
    assert max(at_once) == 2


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 1.0])), max_size=30))
def test_no_gpu_is_ever_overallocated(requests: list[tuple[int, float]]) -> None:
    names = ("a", "b", "c")
    pool = Gpus(names)
    held: list[tuple[tuple[str, ...], float]] = []
    for count, share in requests:
        got = pool.take(count, share)
        if got is None:
            used = {n: sum(s for g, s in held if n in g) for n in names}
            assert sum(1 - u >= share - 1e-9 for u in used.values()) < count
            if held:
                pool.give_back(*held.pop(0))
        else:
            assert len(set(got)) == count
            held.append((got, share))
        assert all(sum(s for g, s in held if n in g) <= 1 + 1e-5 for n in names)


@pytest.mark.parametrize("n", [3, 9, 10, 11, 12, 17, 20, 25, 49, 100])
def test_shares_that_do_not_add_up_in_binary_still_fill_a_gpu(n: int) -> None:
    """Nine times 1 / 9 taken from 1.0, one after another, leaves a little less than the ninth share."""
    pool = Gpus(("a",))
    for _ in range(3):
        assert [pool.take(1, 1 / n) for _ in range(n)] == [("a",)] * n
        assert pool.take(1, 1 / n) is None
        for _ in range(n):
            pool.give_back(("a",), 1 / n)


def test_without_gpus_nobody_waits_and_more_than_there_are_is_said() -> None:
    assert Gpus(()).take(4, 1.0) == ()
    with pytest.raises(DataError, match="4 processes need 4 GPUs, there are 2; lower processes"):
        Gpus(("0", "1")).take(4, 1.0)


@pytest.mark.parametrize(
    ("device", "listed", "expected"),
    [
        ("auto", None, ("0", "1", "2")),
        ("cuda", "2,0", ("2", "0")),
        ("cuda:1", None, ("1",)),
        ("cuda:1", "GPU-a, GPU-b", ("GPU-b",)),
        ("auto", "", ()),
        ("auto", "1,-1,0", ("1",)),
        ("cpu", None, ()),
        ("mps", None, ()),
    ],
)
def test_the_gpus_of_a_run_are_the_visible_ones(
    monkeypatch: pytest.MonkeyPatch, device: str, listed: str | None, expected: tuple[str, ...]
) -> None:
    _driver(monkeypatch, listed)
    assert visible_gpus(device) == expected


def test_a_missing_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _driver(monkeypatch, None)
    with pytest.raises(DataError, match="cuda:3: this machine has 3 visible GPUs, counted from cuda:0"):
        visible_gpus("cuda:3")


def _driver(
    monkeypatch: pytest.MonkeyPatch, listed: str | None, names: tuple[str, ...] = ("0", "1", "2")
) -> None:
    """Pretend a driver that lists GPUs."""
    monkeypatch.setattr(gpus, "_listed", lambda: names)
    if listed is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
