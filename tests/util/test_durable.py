"""A sealed file notices every flipped bit; a file is visible whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import DiskFull
from bench.util.durable import Damaged, explained, file_checksum, is_of_full_disk, seal, unseal, write_whole

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
BODIES = st.dictionaries(st.text().filter(lambda k: k != "checksum"), JSON, max_size=5)


@given(BODIES)
def test_what_was_sealed_comes_back(body: dict[str, Any]):
    assert unseal(seal(body), "x") == body


@given(BODIES, st.data())
@settings(max_examples=200)
def test_a_flipped_bit_is_noticed(body: dict[str, Any], data: st.DataObject):
    sealed = bytearray(seal(body))
    at = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises(Damaged):
        unseal(bytes(sealed), "x")


def test_every_single_bit_of_a_small_file():
    sealed = seal({"a": [1, 2.5, None, "text é"], "b": {"c": True}})
    for at in range(8 * len(sealed)):
        flipped = bytearray(sealed)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(Damaged):
            unseal(bytes(flipped), "x")


@given(BODIES, st.data())
def test_a_truncated_or_lengthened_file_is_noticed(body: dict[str, Any], data: st.DataObject):
    sealed = seal(body)
    with pytest.raises(Damaged):
        unseal(sealed[: data.draw(st.integers(0, len(sealed) - 1))], "x")
    with pytest.raises(Damaged):
        unseal(sealed + data.draw(st.binary(min_size=1, max_size=5)), "x")


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"[1]", b"null", b'"x"', b"3", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"checksum": 5}\n'],
)
def test_what_was_never_sealed_is_damaged(data: bytes):
    with pytest.raises(Damaged, match="x: "):
        unseal(data, "x")


def test_a_body_has_no_checksum_of_its_own():
    with pytest.raises(ValueError, match="checksum"):
        seal({"checksum": 1})


def test_write_whole_replaces_and_leaves_nothing_else(tmp_path: Path):
    path = tmp_path / "deep" / "file"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the disk is full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_killed_writer_never_leaves_half_a_file(tmp_path: Path):
    path = tmp_path / "file"
    whole = [bytes([c]) * 200_000 for c in (65, 66)]
    write_whole(path, whole[0])
    code = (
        "import sys, pathlib\nfrom bench.util.durable import write_whole\n"
        "print('on', flush=True)\n"
        "while True:\n  for c in (65, 66): write_whole(pathlib.Path(sys.argv[1]), bytes([c]) * 200_000)\n"
    )
    for delay in range(5):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            for _ in range(20 * delay + 1):
                assert path.read_bytes() in whole
            writer.send_signal(signal.SIGKILL)
        assert path.read_bytes() in whole
    write_whole(path, b"next")  # what the dead left blocks nobody
    assert path.read_bytes() == b"next"


def test_the_checksum_of_a_file_is_that_of_its_content(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"x" * 5_000_000)
    (tmp_path / "b").write_bytes(b"x" * 5_000_000)
    (tmp_path / "c").write_bytes(b"x" * 4_999_999 + b"y")
    a, b, c = (file_checksum(tmp_path / n) for n in "abc")
    assert a == b != c


def test_files_that_were_sealed_by_their_values_are_still_read():
    body = {"b": [1, 0.1], "a": "é"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    checksum = xxhash.xxh3_128_hexdigest(text.encode())
    old = (json.dumps({**body, "checksum": checksum}, indent=1) + "\n").encode()
    assert unseal(old, "x") == body
    for at in range(8 * len(old)):
        flipped = bytearray(old)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(Damaged):
            unseal(bytes(flipped), "x")


def test_the_rest_of_a_long_body_is_checked_but_not_returned():
    sealed = seal({"a": {"rest": [1]}, "b": 2, "rest": [3], "c": 4})
    assert unseal(sealed, "x", until="rest") == {"a": {"rest": [1]}, "b": 2}
    assert unseal(sealed, "x", until="nothing")["c"] == 4
    with pytest.raises(Damaged):
        unseal(sealed.replace(b'"c": 4', b'"c": 5'), "x", until="rest")


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (errno.ENOSPC, DiskFull, "x.json: cannot be written: the disk is full"),
        (errno.EDQUOT, DiskFull, "x.json: cannot be written: the disk is full"),
        (errno.EIO, OSError, "Input/output error"),
    ],
)
def test_a_write_that_fails_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, kind: type[OSError], text: str
):
    path = tmp_path / "x.json"
    write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)
    with pytest.raises(kind, match=text) as caught:
        write_whole(path, b"new")
    assert str(path) in (explained(caught.value) if kind is OSError else str(caught.value))
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert path.read_bytes() == b"old"


def test_only_a_full_disk_of_the_folder_itself_counts(tmp_path: Path):
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "a"))
    assert is_of_full_disk(full, tmp_path)
    assert not is_of_full_disk(OSError(errno.ENOSPC, "No space left on device", "/dev/shm/x"), tmp_path)
    assert not is_of_full_disk(OSError(errno.ENOSPC, "No space left on device"), tmp_path)  # there is room
    assert is_of_full_disk(OSError(errno.EDQUOT, "Disk quota exceeded"), tmp_path)
    assert not is_of_full_disk(ValueError("wrong"), tmp_path)
    assert not is_of_full_disk(KeyboardInterrupt(), tmp_path)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOTDIR, "Not a directory", "a/b"), "a/b: Not a directory"),
        (OSError(errno.ENOTDIR, "Not a directory", b"a/b"), "a/b: Not a directory"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), "a: the disk is full"),
        (OSError(errno.EISDIR, "Is a directory", "a.tmp", None, "a"), "a: Is a directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError("odd"), "odd"),
    ],
)
def test_errors_of_the_system_in_words(error: OSError, text: str):
    assert explained(error) == text
