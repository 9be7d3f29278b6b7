"""Records are read exactly as written, bit for bit, or not at all."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bench.records import record as records
from bench.records.record import CellRecord, Status, put, read
from bench.util.durable import Damaged, seal, unseal
from tests.conftest import Finished

PLACE = {
    "host": "h", "platform": "p", "processor": "c", "python": "3", "cutjoin": "0", "git_commit": None,
    "git_dirty": None,
}  # fmt: skip
STAGE = {
    "stage": "score", "key": "k", "adapter": "", "wall_s": 1.5, "host_peak_bytes": 7, "device": "cpu",
    "threads": 1, "seed": None, "started": "2020-01-01T00:00:00.000+00:00", "place": PLACE,
}  # fmt: skip


def record(**changes: Any) -> CellRecord:
    body: dict[str, Any] = {
        "key": "ab" * 16, "suite": "s", "dataset": "d", "method": "m", "seed": 0, "status": "ok",
        "params": {"a": {"b": [1, 0.5, None]}}, "data_fingerprint": "f", "metrics": {"acc": 0.1 + 0.2},
        "intervals": {"acc": (0.1, 0.5)}, "n_scored": 9, "stages": [STAGE], "place": PLACE,
    }  # fmt: skip
    return CellRecord.model_validate({**body, **changes})


def test_a_written_record_reads_back(tmp_path: Path):
    one = record(method="Größe <script> | \U0001f600", error="line\nline")
    assert read(put(tmp_path / "records", one)) == one


def test_a_second_record_of_a_cell_moves_the_first_aside(tmp_path: Path):
    first, second = record(seed=1), record(seed=2)
    path = put(tmp_path / "records", first)
    put(tmp_path / "records", second)
    assert read(path) == second
    (old,) = (tmp_path / "superseded").iterdir()
    assert old.read_bytes() == seal(first.model_dump(mode="json"))
    assert [p.name for p in (tmp_path / "records").iterdir()] == [path.name]


def test_every_flipped_bit_of_200_in_real_records_is_noticed(own_run: Finished):
    rng = random.Random(1)
    assert len(own_run.records) == 14
    for _ in range(200):
        path = rng.choice(own_run.records)
        whole = path.read_bytes()
        flipped = bytearray(whole)
        at = rng.randrange(8 * len(whole))
        flipped[at // 8] ^= 1 << at % 8
        path.write_bytes(flipped)
        with pytest.raises(Damaged, match=path.name):
            read(path)
        path.write_bytes(whole)
        read(path)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_truncated_record_is_noticed(tmp_path: Path, kept: int):
    path = put(tmp_path / "records", record())
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Damaged):
        read(path)


def test_a_record_under_another_name_is_noticed(tmp_path: Path):
    path = put(tmp_path / "records", record())
    with pytest.raises(Damaged, match="another cell"):
        read(path.rename(path.with_name("cd" * 16 + ".json")))


def test_a_sealed_file_that_is_not_a_record_is_noticed(tmp_path: Path):
    path = put(tmp_path / "records", record())
    for change in ({"seed": "x"}, {"extra": 1}, {"status": "fine"}):
        path.write_bytes(seal({**record().model_dump(mode="json"), **change}))
        with pytest.raises(Damaged, match="not a record of schema"):
            read(path)


@pytest.mark.parametrize("status", list(Status))
def test_a_cell_has_scores_exactly_when_it_did_not_fail(status: Status):
    scored = {"status": status, "error": None if status is Status.OK else "why"}
    if status.failed:
        assert record(**scored, metrics={}).metrics == {}
        with pytest.raises(ValidationError, match="exactly when it did not fail"):
            record(**scored)
    else:
        assert record(**scored).metrics
        with pytest.raises(ValidationError, match="exactly when it did not fail"):
            record(**scored, metrics={})
    if status is not Status.OK:
        with pytest.raises(ValidationError, match="needs an `error`"):
            record(**{**scored, "error": None}, metrics={} if status.failed else {"acc": 1.0})


def test_the_essence_excludes_times_memory_and_hosts():
    other_stage = {
        **STAGE, "wall_s": 9, "host_peak_bytes": 8, "device": "cuda", "started": "later",
        "place": {**PLACE, "host": "x"},
    }  # fmt: skip
    same = record(wall_s=7, host_peak_bytes=3, place={**PLACE, "host": "x"}, stages=[other_stage])
    assert same.essence() == record().essence()
    for change in ({"seed": 3}, {"metrics": {"acc": 0.3}}, {"stages": [{**STAGE, "facts": {"a": 1}}]}):
        assert record(**change).essence() != record().essence()


def test_real_records_have_their_provenance(finished: Finished):
    for path in finished.records:
        one = read(path)
        assert (one.suite, one.dataset, one.synthetic) == ("tiny", "Tiny plankton", True)
        assert one.status is Status.OK
        assert one.schema_version == records.SCHEMA
        assert one.wall_s == pytest.approx(sum(s.wall_s for s in one.stages), abs=1e-3)
        assert one.host_peak_bytes == max(s.host_peak_bytes for s in one.stages)
        assert [s.stage for s in one.stages][-1] == "score"
        assert all("numpy" in s.place.versions for s in one.stages)
        assert unseal(path.read_bytes(), "")["key"] == path.stem
