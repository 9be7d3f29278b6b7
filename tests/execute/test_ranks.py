"""Fits in several processes, requested by a suite: one result, one error, nothing left running."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.records.record import CellRecord
from tests.execute.runs import Bench

pytestmark = pytest.mark.slow

PARALLEL = Path(__file__).parent / "parallel"
SIMCLR = "{use: simclr, arch: conv5, width: 2, batch: 8, steps: 12, outputs: 8}"
DINO = (
    "{use: dino, arch: vit_tiny_patch16_224, width: 16, depth: 1, heads: 2, patch: 4, steps: 12, batch: 8, "
    "small_crops: 2, outputs: 16, hidden: 16, bottleneck: 8, snapshots: [0, 1]}"
)
FAULTS = {
    "data": ("error", "process 1 of 2: the second half of the images is missing; look for it"),
    "bug": ("error", "process 1 of 2: 'no such thing' (KeyError)"),
    "killed": ("crash", "the process died of SIGKILL"),
    "hangs": ("timeout", "limit of 12 s"),
}
TWIN = (
    f"{{use: twin, encoder: {DINO}, batch: 8, steps: 120, embedding: null, fusion: simplified, "
    "held_out: 0.2}"
)


def block(name: str, encoder: str, processes: int = 2, wall_s: int = 200) -> str:
    limits = f"{{memory_gib: 4, wall_s: {wall_s}, processes: {processes}}}"
    return f"  - {{name: {name}, limits: {limits}, encoder: {encoder}, clusterer: kmeans}}\n"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("ranks"))
    own = f"{PARALLEL}/regression.py"
    faulty = "".join(
        block(fault, f"{{use: {own}, fault: {fault}}}", wall_s=12 if fault == "hangs" else 200)
        for fault in FAULTS
    )
    suite = bench.suite(
        "seeds: [0]\nbaselines: false\nbootstrap: {replicates: 0}\ndatasets:\n"
        "  - {name: made, use: kaggle_plankton, size: 16, synthetic: {images: 48}}\nmethods:\n"
        f"{block('simclr', SIMCLR)}{block('dino', DINO)}{block('dino again', DINO)}"  # first: they load torch
        f"{block('one', own, 1)}{block('two', own)}{block('uneven', f'{{use: {own}, batch: 9}}')}{faulty}"
        f"{block('pixels', 'pixels')}{block('dino alone', DINO, 1)}"
        "  - {name: twin, limits: {memory_gib: 4, processes: 2}, "
        f"pair_model: {TWIN}, clusterer: multicut}}\n",
        "ranks",
    )
    done = bench.run("run", suite, "--jobs", "2", "--device", "cpu", timeout=900)
    assert done.returncode == 1, done.stdout + done.stderr
    return bench


@pytest.fixture(scope="module")
def records(bench: Bench) -> dict[str, CellRecord]:
    return {r.method: r for r in bench.all_records("ranks")}


def features(bench: Bench, record: CellRecord) -> np.ndarray:
    key = next(s.key for s in record.stages if s.stage == "encode")
    (file,) = (bench.root / "store" / "artefacts").glob(f"*/{key}/features.npy")
    return np.asarray(np.load(file, allow_pickle=False), np.float32)


def test_two_processes_learn_the_same_as_one(bench: Bench, records: dict[str, CellRecord]) -> None:
    one, two = (features(bench, records[name]) for name in ("one", "two"))
    assert np.abs(one[:, 1:]).max() > 0.002  # they start from 0
    np.testing.assert_allclose(two, one, rtol=1e-3, atol=1e-5)
    facts = [next(s.facts for s in records[n].stages if s.stage == "fit") for n in ("one", "two")]
    assert [(f["processes"], f["rank"]) for f in facts] == [(1, 0), (2, 0)]
    losses = [[loss for _, loss in f["curve"]["loss"]] for f in facts]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3, abs=2e-6)


@pytest.mark.parametrize("name", FAULTS)
def test_an_error_in_one_process_is_the_error_of_the_stage(records: dict[str, CellRecord], name: str) -> None:
    status, reason = FAULTS[name]
    assert (records[name].status, records[name].failed_stage) == (status, "fit")
    assert reason in str(records[name].error)


def test_an_indivisible_batch_is_reported_once(records: dict[str, CellRecord]) -> None:
    error = str(records["uneven"].error)
    assert error.endswith("batch: 9 images do not divide among 2 processes")


@pytest.mark.parametrize("name", ["simclr", "dino"])
def test_real_encoders_train_in_two_processes(
    bench: Bench, records: dict[str, CellRecord], name: str
) -> None:
    record = records[name]
    assert record.status in ("ok", "degenerate"), record.error
    fit = next(s for s in record.stages if s.stage == "fit")
    assert fit.facts["steps"] == 12
    assert fit.facts["curve"]["loss"][-1][0] == 12
    assert np.isfinite(features(bench, record)).all()


def test_a_pair_model_trains_in_two_processes(records: dict[str, CellRecord]) -> None:
    record = records["twin"]
    assert record.status in ("ok", "degenerate"), record.error
    fit = next(s for s in record.stages if s.stage == "fit" and s.adapter.startswith("twin"))
    assert fit.facts["curve"]["loss"][-1][0] == 120
    assert sum(fit.facts["held_out_reliability"]["before"]["pairs"]) > 0


def test_the_number_of_processes_is_part_of_the_key_where_it_matters(records: dict[str, CellRecord]) -> None:
    def key(name: str) -> str:
        return next(s.key for s in records[name].stages if s.stage in ("fit", "encode"))

    assert key("dino") == key("dino again") != key("dino alone")
    assert records["pixels"].status == "ok"


def test_nothing_is_left_running(bench: Bench, records: dict[str, CellRecord]) -> None:
    assert records
    assert bench.processes() == []
