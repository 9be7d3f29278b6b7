"""What tests of the store share: artefacts to write, processes that use it, a user's folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.records.store import Store
from tests.conftest import snapshot

KEY = "ab" * 16
OTHER = "cd" * 16
START = """
import sys, time
from pathlib import Path
from bench.records.store import Store
store = Store(Path(sys.argv[1]))
"""


def fill(folder: Path, text: bytes = b"numbers") -> dict[str, Any]:
    (folder / "inner").mkdir()
    (folder / "features.npy").write_bytes(text * 50)
    (folder / "inner" / "weights").write_bytes(b"w")
    (folder / "empty").write_bytes(b"")
    return {"stage": "encode"}


WRITE = """
def fill(folder):
    (folder / "a").write_bytes(sys.argv[3].encode() * 100_000)
    print("ready", flush=True)
    sys.stdin.readline() if len(sys.argv) < 5 else time.sleep(60)
    return {"who": sys.argv[3]}
with store.session() as run:
    store.write(sys.argv[2], fill, run)
"""


@contextlib.contextmanager
def process(code: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python code that uses `store` and prints `ready`; kill it at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", START + code, *map(str, words)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            yield child
        finally:
            child.kill()


def write(store: Store, key: str = KEY, text: bytes = b"numbers") -> Path:
    with store.session() as run:
        return store.write(key, lambda folder: fill(folder, text), run).folder


def age(path: Path, days: float) -> None:
    then = time.time() - days * 86400
    os.utime(path, (then, then))


def users_folder(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Make a folder whose names are those of a store, and whose files are not; return what it holds."""
    for name in ("checkpoints/my_model/weights.pt", "partial/draft.txt", "partial/draft.lock", "claims/a"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"years of work")
    (root / "fingerprints.sqlite").write_bytes(b"of another program")
    for path in [root, *root.rglob("*")]:
        age(path, days=400)
    return snapshot(root)
