"""Files come whole or not at all, from a real server that misbehaves in the usual ways."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.acquire import download
from bench.acquire.download import RemoteFile, check_space, fetch
from bench.errors import DataError

CONTENT = random.Random(0).randbytes(700_001)  # the same in every worker: its sum names tests
MD5 = hashlib.md5(CONTENT).hexdigest()


@dataclass
class Source:
    """What the server holds, and how it misbehaves."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    etag: str = '"1"'
    length: bool = True
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """`Range` of every request, "" where there was none."""


class Handler(BaseHTTPRequestHandler):
    source: Source

    def do_GET(self) -> None:
        s = self.source
        wanted = self.headers.get("Range", "")
        s.asked.append(wanted)
        if s.statuses:
            self.send_response(s.statuses.pop(0))
            for name, value in s.headers.items():
                self.send_header(name, value)
            self.end_headers()
            return
        match = re.fullmatch(r"bytes=(\d+)-", wanted)
        start = int(match[1]) if match and s.ranges else 0
        if self.headers.get("If-Range", s.etag) != s.etag:
            start = 0
        if start >= len(s.content) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(s.content)}")
            self.end_headers()
            return
        body = s.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(s.content) - 1}/{len(s.content)}")
        if s.length:
            self.send_header("Content-Length", str(len(body)))
        if s.etag:
            self.send_header("ETag", s.etag)
        for name, value in s.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: s.cuts.pop(0)] if s.cuts else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    monkeypatch.setattr(download, "_FIRST_WAIT_S", 0.0)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # not for this machine
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held = Source(f"http://127.0.0.1:{server.server_port}/some/data%201.zip?x=1")
    server.RequestHandlerClass = type("Own", (Handler,), {"source": held})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def get(source: Source, folder: Path, size: int | None = len(CONTENT), md5: str = MD5) -> bool:
    return fetch(RemoteFile(source.url, size, md5), folder, lambda done, total, text: None)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("size", [len(CONTENT), None])
@pytest.mark.parametrize("md5", [MD5, MD5.upper(), ""])
def test_a_file_comes_whole_once(size: int | None, md5: str, source: Source, tmp_path: Path):
    calls: list[tuple[int, int | None]] = []
    assert fetch(RemoteFile(source.url, size, md5), tmp_path, lambda d, t, _: calls.append((d, t)))
    assert (tmp_path / "data 1.zip").read_bytes() == CONTENT
    assert names(tmp_path) == ["data 1.zip"]
    assert (len(CONTENT), len(CONTENT)) in calls
    assert not get(source, tmp_path, size, md5)
    assert source.asked == [""]


def test_a_broken_connection_is_continued(source: Source, tmp_path: Path):
    source.cuts = [300_000, 1]
    assert get(source, tmp_path)
    assert (tmp_path / "data 1.zip").read_bytes() == CONTENT
    assert source.asked == ["", "bytes=300000-", "bytes=300001-"]


def test_an_interrupted_command_is_continued_by_the_next(source: Source, tmp_path: Path):
    def stop(done: int, total: int | None, text: str) -> None:
        if done >= 262_144:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(RemoteFile(source.url, len(CONTENT), MD5), tmp_path, stop)
    kept = (tmp_path / "data 1.zip.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    assert not (tmp_path / "data 1.zip").exists()
    assert get(source, tmp_path)
    assert source.asked[1:] == [f"bytes={kept}-"]
    assert (tmp_path / "data 1.zip").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_starts_over(source: Source, tmp_path: Path):
    source.ranges, source.cuts = False, [300_000]
    assert get(source, tmp_path)
    assert (tmp_path / "data 1.zip").read_bytes() == CONTENT


def test_a_file_that_changed_at_the_source_starts_over(source: Source, tmp_path: Path):
    source.cuts = [300_000] + [0] * 20
    with pytest.raises(DataError, match="300000 of 700001 bytes; the same command continues"):
        get(source, tmp_path)
    source.cuts, source.etag, source.content = [], '"2"', CONTENT[::-1]
    assert get(source, tmp_path, md5="")
    assert (tmp_path / "data 1.zip").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_part_that_is_whole_is_asked_for_no_more_than_once(
    size: int | None, source: Source, tmp_path: Path
):
    (tmp_path / "data 1.zip.part").write_bytes(CONTENT)
    assert get(source, tmp_path, size)
    assert source.asked == ([] if size else [f"bytes={len(CONTENT)}-"])
    assert names(tmp_path) == ["data 1.zip"]


def test_a_part_longer_than_the_file_starts_over(source: Source, tmp_path: Path):
    for size in (len(CONTENT), None):
        (tmp_path / "data 1.zip.part").write_bytes(CONTENT + b"more")
        assert get(source, tmp_path, size)
        (tmp_path / "data 1.zip").unlink()


def test_a_wrong_sum_is_kept_aside_and_never_used(source: Source, tmp_path: Path):
    source.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DataError, match=rf"data 1.zip.bad: its MD5 sum is \w+, {MD5} was declared"):
        get(source, tmp_path)
    assert names(tmp_path) == ["data 1.zip.bad"]
    source.content = CONTENT
    assert get(source, tmp_path)
    assert source.asked == ["", ""]


def test_a_damaged_file_that_was_there_is_noticed(source: Source, tmp_path: Path):
    for content, said in ((CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), "MD5"), (CONTENT[:-1], "700000 bytes")):
        (tmp_path / "data 1.zip").write_bytes(content)
        with pytest.raises(DataError, match=said):
            get(source, tmp_path)
        assert (tmp_path / "data 1.zip").read_bytes() == content
    assert source.asked == []


def test_another_size_than_declared_is_said_before_the_transfer(source: Source, tmp_path: Path):
    with pytest.raises(DataError, match="has 700001 bytes, 5 were declared"):
        get(source, tmp_path, 5)
    assert (tmp_path / "data 1.zip.part").stat().st_size == 0


def test_without_a_length_the_declared_size_decides(source: Source, tmp_path: Path):
    source.length = False
    assert get(source, tmp_path)
    (tmp_path / "data 1.zip").unlink()
    source.cuts = [1000]  # looks like the end
    with pytest.raises(DataError, match="has 1000 bytes, 700001 were declared"):
        get(source, tmp_path)
    assert not (tmp_path / "data 1.zip").exists()
    with pytest.raises(DataError, match="more than the 10 bytes"):
        get(Source(source.url), tmp_path, 10)


def test_passing_troubles_are_waited_out(source: Source, tmp_path: Path):
    source.statuses = [503, 429, 500]
    assert get(source, tmp_path)
    assert len(source.asked) == 4


def test_lasting_troubles_are_one_sentence(source: Source, tmp_path: Path):
    source.statuses = [503] * 50
    with pytest.raises(DataError, match="answers 503 Service Unavailable, after 0 of 700001 bytes"):
        get(source, tmp_path)
    source.statuses, source.asked = [404], []
    with pytest.raises(DataError, match="answers 404 Not Found"):
        get(source, tmp_path)
    assert len(source.asked) == 1


def test_nobody_there_is_one_sentence(source: Source, tmp_path: Path):
    with pytest.raises(DataError, match="refused"):
        fetch(RemoteFile("http://127.0.0.1:9/x"), tmp_path, lambda *_: None)


def test_a_compressed_answer_is_refused(source: Source, tmp_path: Path):
    source.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(DataError, match="compressed"):
        get(source, tmp_path)


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://example.org/x", "file:///etc/passwd", "https://example.org/", "x"]
)
def test_only_https(url: str, tmp_path: Path):
    with pytest.raises(DataError, match=r"only https|names no file"):
        fetch(RemoteFile(url), tmp_path, lambda *_: None)
    assert not names(tmp_path)


@pytest.mark.parametrize("url", ["http://example.org/x", "file:///etc/passwd", "ftp://example.org/x"])
def test_redirections_do_not_leave_https(url: str, source: Source, tmp_path: Path):
    source.statuses, source.headers = [302], {"Location": url}
    with pytest.raises(DataError, match=r"only https|answers 302"):
        get(source, tmp_path)


def test_redirections_are_followed(source: Source, tmp_path: Path):
    source.statuses, source.headers = [302], {"Location": source.url.replace("data", "other")}
    assert get(source, tmp_path)
    assert names(tmp_path) == ["data 1.zip"]


def test_one_process_at_a_time(source: Source, tmp_path: Path):
    def nested(done: int, total: int | None, text: str) -> None:
        with pytest.raises(DataError, match="another process"):
            get(source, tmp_path)

    assert fetch(RemoteFile(source.url), tmp_path, nested)
    assert source.asked == [""]


def test_a_full_disk_is_said_before(source: Source, tmp_path: Path):
    with pytest.raises(DataError, match="make room"):
        check_space(tmp_path / "not" / "there", 1 << 60)
    check_space(tmp_path, 0)
