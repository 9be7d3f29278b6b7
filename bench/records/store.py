"""The content-addressed store of artefacts: outputs of stages, keyed by all of their inputs.

artefacts/ab/<key>/      the files of one artefact and its sealed manifest.json
partial/<run>/           artefacts being written; removed once their run has ended
checkpoints/<key>/       what an unfinished fit can resume from
claims/<key>             locked while a run works on that artefact
quarantine/              damaged artefacts: kept for inspection, never used
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.util.durable import Damaged, file_checksum, seal, sync_folder, unseal, write_whole

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Artefact:
    """A complete artefact, verified when it was opened."""

    key: str
    folder: Path
    metadata: dict[str, Any]
    """From its manifest: stage, seconds, memory, versions..."""


class Store:
    """Artefacts below one folder; any number of processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, key: str) -> Path:
        """Return the folder of the artefact of `key`, whether or not it exists."""
        return self.root / "artefacts" / key[:2] / key

    def holds(self, key: str) -> bool:
        """Return whether an artefact seems to exist: cheap, reads no content. Only `open` verifies it."""
        return (self.folder(key) / MANIFEST).is_file()

    def open(self, key: str) -> Artefact | None:
        """Return the artefact after checking every byte of it; None if there is none.

        A damaged one is moved to `quarantine/` and counts as missing, so that it is
        recomputed and never used.
        """
        folder = self.folder(key)
        if not folder.is_dir():
            return None
        try:
            metadata = check(folder)
        except FileNotFoundError:
            if not folder.is_dir():  # removed since the first check
                return None
            self.quarantine(key)
            return None
        except Damaged:
            self.quarantine(key)
            return None
        with contextlib.suppress(OSError):
            os.utime(folder / MANIFEST)  # `gc` removes what was not used for long
        return Artefact(key, folder, metadata)

    def metadata(self, key: str) -> dict[str, Any] | None:
        """Return the metadata in the manifest, checking the manifest and sizes but not the content."""
        folder = self.folder(key)
        try:
            return check(folder, contents=False)
        except FileNotFoundError:
            return None
        except Damaged:
            self.quarantine(key)
            return None

    def write(self, key: str, fill: Callable[[Path], dict[str, Any]], run: str) -> Artefact:
        """Create an artefact: `fill(folder)` writes its files and returns its metadata.

        `run` is the name from `session`: its partial artefacts are removed once it has died.

        The artefact becomes visible in one rename after everything is on disk.
        If another process was first, its artefact is kept and this one is dropped.
        """
        partial = self.root / "partial" / run / f"{key}.{secrets.token_hex(4)}"
        partial.mkdir(parents=True)
        try:
            metadata = fill(partial)
            _finish(partial, key, metadata)
            final = self.folder(key)
            final.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.rename(final)
            except OSError:
                if self.holds(key):
                    shutil.rmtree(partial)
                else:
                    self.quarantine(key)  # a folder without a manifest would block this key forever
                    partial.rename(final)
            sync_folder(final.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        shutil.rmtree(self.checkpoints(key), ignore_errors=True)
        return Artefact(key, final, metadata)

    def checkpoints(self, key: str) -> Path:
        """Return the folder from which an interrupted stage can resume."""
        return self.root / "checkpoints" / key

    def quarantine(self, key: str) -> Path | None:
        """Move an artefact to quarantine and return its new path; None if it does not exist."""
        target = self.root / "quarantine" / f"{key}.{secrets.token_hex(4)}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder(key).rename(target)
        except FileNotFoundError:
            return None
        return target

    def keys(self) -> list[str]:
        """List the keys of all artefacts, sorted."""
        return sorted(p.name for p in (self.root / "artefacts").glob("??/*") if p.is_dir())

    # Claims are advisory: losing one means duplicate work, never a wrong artefact.

    def claim(self, key: str) -> IO[str] | None:
        """Try to claim work on `key`; None if another live process has it. Close the handle to release it."""
        path = self.root / "claims" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return _lock(path)

    def release(self, key: str, claim: IO[str]) -> None:
        """Release a claim and remove its file."""
        (self.root / "claims" / key).unlink(missing_ok=True)  # while still locked, so it is our own
        claim.close()

    @contextlib.contextmanager
    def session(self) -> Iterator[str]:
        """Name this run for `write`, after removing partial artefacts of dead runs."""
        base = self.root / "partial"
        base.mkdir(parents=True, exist_ok=True)
        self._sweep(base)
        lock = None
        while lock is None:  # the sweep of another run may have locked it first
            name = f"{os.getpid()}-{secrets.token_hex(6)}"
            lock = _lock(base / f"{name}.lock")
        (base / name).mkdir()
        try:
            yield name
        finally:
            _remove_run(base, name, lock)

    def collect(self, unused_for_s: float, *, dry_run: bool) -> tuple[int, int]:
        """Remove what was unused for that long, also checkpoints and quarantine; return (count, bytes)."""
        horizon = time.time() - unused_for_s
        candidates = [self.folder(k) for k in self.keys()]
        for name in ("checkpoints", "quarantine"):
            candidates += sorted((self.root / name).glob("*"))
        count = size = 0
        for folder in candidates:
            with contextlib.suppress(FileNotFoundError):  # another process moved it first
                used = folder / MANIFEST if (folder / MANIFEST).exists() else folder
                if used.stat().st_mtime > horizon:
                    continue
                bytes_in = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
                if not dry_run:
                    self._remove(folder)
                count, size = count + 1, size + bytes_in
        return count, size

    def _remove(self, folder: Path) -> None:
        doomed = self.root / "partial" / f"doomed-{secrets.token_hex(6)}"
        doomed.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(doomed)  # atomic for every reader
        shutil.rmtree(doomed, ignore_errors=True)

    @staticmethod
    def _sweep(base: Path) -> None:
        for name in {p.name.removesuffix(".lock") for p in base.iterdir()}:
            lock = _lock(base / f"{name}.lock")
            if lock is not None:  # its run is dead
                _remove_run(base, name, lock)


def check(folder: Path, *, contents: bool = True) -> dict[str, Any]:
    """Return the metadata in an artefact's manifest, after checking its files.

    Raises `Damaged` for a manifest, size, list of files or (with `contents`)
    byte that differs; `FileNotFoundError` if there is no manifest.
    """
    body = unseal((folder / MANIFEST).read_bytes(), f"{folder.name}/{MANIFEST}")
    if body["key"] != folder.name:
        raise Damaged(f"{folder}: holds the artefact of another key, {body['key']}")
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {MANIFEST}
    if found != set(body["files"]):
        odd = sorted(found ^ set(body["files"]))
        raise Damaged(f"{folder}: files missing or unexpected: {', '.join(odd)}")
    for name, (size, checksum) in body["files"].items():
        path = folder / name
        if path.stat().st_size != size:
            raise Damaged(f"{path}: {path.stat().st_size} bytes, not {size}")
        if contents and file_checksum(path) != checksum:
            raise Damaged(f"{path}: content does not match its checksum")
    return dict(body["about"])


def _finish(folder: Path, key: str, metadata: dict[str, Any]) -> None:
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as f:
                os.fsync(f.fileno())
            files[path.relative_to(folder).as_posix()] = [path.stat().st_size, file_checksum(path)]
    for path in sorted(p for p in folder.rglob("*") if p.is_dir()):
        sync_folder(path)
    write_whole(folder / MANIFEST, seal({"key": key, "files": files, "about": metadata}))


def _remove_run(base: Path, name: str, lock: IO[str]) -> None:
    shutil.rmtree(base / name, ignore_errors=True)
    (base / f"{name}.lock").unlink(missing_ok=True)
    lock.close()


def _lock(path: Path) -> IO[str] | None:
    """Open and lock a file; None if another process has it locked.

    The kernel unlocks it when the process dies, however it dies. Raises `OSError` on a
    file system without locks, where retrying would never end.
    """
    while True:
        handle = path.open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return None
        except OSError as e:
            handle.close()
            raise OSError(
                e.errno, f"cannot be locked; move the store to a local disk: {e.strerror}", str(path)
            ) from e
        try:
            if path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
                return handle
        except FileNotFoundError:
            pass
        handle.close()  # the previous holder has removed the file
