"""What a stage writes to the run: messages are understood, all else is left out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.execute.messages import Inbox, line_of, progress_of
from bench.records.record import Status
from bench.stages.job import Outcome

OK = line_of({"outcome": Outcome(status=Status.OK).model_dump()})


@given(st.lists(st.binary() | st.sampled_from([b"\n", OK, b'{"done": 3}', b'{"outcome": {}}'])))
def test_no_bytes_raise_and_a_message_after_them_is_read(parts: list[bytes]):
    inbox = Inbox()
    for part in [*parts, b"\n", OK]:
        inbox.add(part)
    assert inbox.outcome == Outcome(status=Status.OK)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON, JSON, JSON)
def test_any_json_in_the_place_of_progress_is_plain_or_left_out(done: object, total: object, text: object):
    inbox = Inbox()
    inbox.add(json.dumps({"done": done, "total": total, "text": text}).encode() + b"\n")
    if inbox.progress is not None:
        found, whole, shown = inbox.progress
        assert type(found) is int
        assert whole is None or type(whole) is int
        assert shown.encode() is not None
        assert len(shown) <= 200 * 6


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ((1, "40", "epoch"), (1, 40, "epoch")),
        ((np.int64(3), np.float32(9), None), (3, 9, "")),
        ((2, None, b"x"), (2, None, "b'x'")),
        ((1, 2, "caf\udce9"), (1, 2, r"caf\udce9")),
        ((float("nan"), 2, "x"), None),
        ((1, "many", "x"), None),
        ((-1, 2, "x"), None),
        ((10**400, None, "x"), None),
    ],
)
def test_progress_in_other_types(given_: tuple[object, object, object], expected: object):
    assert progress_of(*given_) == expected


def test_a_line_without_end_is_dropped():
    inbox = Inbox()
    for _ in range(64):
        inbox.add(b"x" * (1 << 16))
    inbox.add(b"\n" + OK)
    assert inbox.outcome == Outcome(status=Status.OK)


@pytest.mark.parametrize("status", sorted(set(Status) - {"ok", "error", "oom-host", "oom-gpu"}))
def test_a_stage_cannot_say_what_only_its_executor_knows(status: Status):
    inbox = Inbox()
    inbox.add(line_of({"outcome": {"status": status}}))
    assert inbox.outcome is None


def test_files_of_shared_memory_are_named_and_nothing_else_is():
    inbox = Inbox()
    lines = b'{"shared": "/dev/shm/a"}\n{"shared": 5}\n{"shared": "a\\u0000b"}\n{"shared": "/dev/shm/b"}\n'
    assert inbox.add(lines) == ["/dev/shm/a", "/dev/shm/b"]
    assert inbox.add(OK) == []
