"""Summaries have the fields of whole records, and notice the same damage."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from bench.records.record import CellRecord, Newer, put, read
from bench.records.summary import _FIELDS, read_summary
from bench.util.durable import Damaged, seal
from tests.conftest import Finished
from tests.records.test_record import record


def test_a_summary_has_the_fields_of_the_record(finished: Finished) -> None:
    for path in finished.records:
        whole, short = read(path).model_dump(mode="json"), read_summary(str(path))
        assert short is not None
        assert {name: getattr(short, name) for name in _FIELDS} == {name: whole[name] for name in _FIELDS}
    assert set(_FIELDS) <= set(CellRecord.model_fields)


def test_a_missing_file_is_no_record(tmp_path: Path) -> None:
    assert read_summary(str(tmp_path / "x.json")) is None


def test_every_flipped_bit_of_300_is_noticed(tmp_path: Path) -> None:
    rng = random.Random(0)
    path = put(tmp_path / "records", record())
    whole = path.read_bytes()
    for at in rng.sample(range(8 * len(whole)), 300):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        path.write_bytes(flipped)
        with pytest.raises(Damaged, match=path.name):
            read_summary(str(path))


def test_a_record_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "records", record())
    path.write_bytes(seal({**record().model_dump(mode="json"), "schema_version": 2, "further": 1}))
    for reader in read_summary, lambda p: read(Path(p)):
        with pytest.raises(Newer, match=r"written by a newer version \(schema 2, .*\); update cutjoin"):
            reader(str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "fine"}, "missing or wrong"),
        ({"metrics": {"acc": "0.5"}}, "a score is not a number"),
        ({"metrics": {}}, "a failed cell has scores"),
        ({"intervals": {"acc": [0.1, None]}}, "a score is not a number"),
        ({"wall_s": True}, "a score is not a number"),
        ({"key": "cd" * 16}, "another cell"),
    ],
)
def test_sealed_content_that_is_not_a_record_is_noticed(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = put(tmp_path / "records", record())
    path.write_bytes(seal({**record().model_dump(mode="json"), **change}))
    with pytest.raises(Damaged, match=message):
        read_summary(str(path))


def test_a_sealed_file_without_a_key_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(seal({"status": "ok"}))
    with pytest.raises(Damaged):
        read_summary(str(path))
