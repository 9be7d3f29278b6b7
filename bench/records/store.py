"""The content-addressed store of artefacts: outputs of stages, keyed by all of their inputs.

cutjoin-store.json       marks the folder as a store, with the version of this layout
artefacts/ab/<key>/      the files of one artefact and its sealed manifest.json
partial/<run>/           artefacts being written; removed once their run has ended; its name has host and boot
checkpoints/<key>/       what an unfinished fit can resume from
claims/<key>             locked while a run works on that artefact
quarantine/              damaged artefacts: kept for inspection, never used

Nothing is removed but what bears a name that a store gives, in a folder that is a store (see `marker`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.errors import DiskFull
from bench.records.marker import claim_folder, is_ours, require_store
from bench.records.sessions import DAY_S, last_use, lives_here, lock_file, new_name, seems_dead_elsewhere
from bench.util.durable import (
    Damaged,
    disk_full,
    file_checksum,
    is_of_full_disk,
    naming,
    seal,
    sync_folder,
    unseal,
    write_whole,
)

MANIFEST = "manifest.json"
DOOMED = "doomed-"


@dataclass(frozen=True)
class Artefact:
    """A complete artefact, verified when it was opened."""

    key: str
    folder: Path
    metadata: dict[str, Any]
    """From its manifest: stage, seconds, memory, versions..."""


@dataclass
class Collected:
    """What `Store.collect` removed, or would remove."""

    count: int = 0
    size: int = 0
    """In bytes."""
    future: int = 0
    """Things dated in the future: they count as used now."""
    problems: list[str] = field(default_factory=list)
    """What could not be looked at or removed, and why."""


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
        Raises `DiskFull`, also where `fill` failed of that, and whatever else `fill` raises.
        """
        partial = self.root / "partial" / run / f"{key}.{secrets.token_hex(4)}"
        with naming(partial):
            partial.mkdir(parents=True)
        try:
            metadata = fill(partial)
            with naming(partial):
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
        except BaseException as e:
            full = is_of_full_disk(e, self.root)  # before room is made again
            shutil.rmtree(partial, ignore_errors=True)
            if full:
                raise DiskFull(disk_full(self.root)) from e
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
        """List the keys of all artefacts, sorted. Folders that may not be read are left out."""
        return sorted(p.name for p in self._listed("artefacts", []))

    def unreadable(self) -> list[str]:
        """List the folders of artefacts that may not be read, with the reason."""
        problems: list[str] = []
        self._listed("artefacts", problems)
        return problems

    def _listed(self, name: str, problems: list[str]) -> list[Path]:
        """List the folders that this store made below `name`; add to `problems` what may not be read."""
        top = self.root / name
        parents = _listdir(top, problems)
        if name == "artefacts":
            parents = [p for parent in parents if is_ours(parent) for p in _listdir(parent, problems)]
        return [p for p in parents if is_ours(p) and p.is_dir()]

    # Claims are advisory: losing one means duplicate work, never a wrong artefact.

    def claim(self, key: str) -> IO[str] | None:
        """Try to claim work on `key`; None if another live process has it. Close the handle to release it."""
        path = self.root / "claims" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return lock_file(path)
        except PermissionError:
            if not os.access(path.parent, os.W_OK):
                raise
            return Path(os.devnull).open("r")  # another user's, closed to us: go on without

    def release(self, key: str, claim: IO[str]) -> None:
        """Let go of a claim and remove its file."""
        with contextlib.suppress(PermissionError):  # another user's
            (self.root / "claims" / key).unlink(missing_ok=True)  # while still locked, so no one else's goes
        claim.close()

    @contextlib.contextmanager
    def session(self) -> Iterator[str]:
        """Name this run for `write`, after removing what dead runs left half written.

        Raises `UsageError` for a folder that is no store.
        """
        claim_folder(self.root)
        base = self.root / "partial"
        base.mkdir(parents=True, exist_ok=True)
        _sweep(base)
        lock = None
        while lock is None:  # the sweep of another run may have locked it first
            name = new_name()
            lock = lock_file(base / f"{name}.lock")
        (base / name).mkdir()
        try:
            yield name
        finally:
            _remove_run(base, name, lock)

    def sign_of_life(self, run: str) -> None:
        """Show hosts that cannot see this one's locks that a run is alive; to be called every few hours."""
        with contextlib.suppress(OSError):
            os.utime(self.root / "partial" / f"{run}.lock")

    def collect(self, unused_for_s: float, *, dry_run: bool) -> Collected:
        """Remove what was not used for that long, checkpoints and quarantine too.

        Raises `UsageError` for a folder that is no store.
        """
        require_store(self.root)
        now, found = time.time(), Collected()
        for name in ("artefacts", "checkpoints", "quarantine"):
            for folder in sorted(self._listed(name, found.problems)):
                try:
                    self._collect_one(folder, now, unused_for_s, found, dry_run=dry_run)
                except FileNotFoundError:  # another process was first to move it
                    continue
                except OSError as e:
                    found.problems.append(f"{e.filename or folder}: {e.strerror}")
        return found

    def _collect_one(
        self, folder: Path, now: float, unused_for_s: float, found: Collected, *, dry_run: bool
    ) -> None:
        manifest = folder / MANIFEST
        used = manifest if manifest.exists() else folder
        found.future += used.stat().st_mtime > now + DAY_S
        if last_use(used, now, mend=not dry_run) > now - unused_for_s:
            return
        size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
        if not dry_run:
            self._remove(folder)
        found.count, found.size = found.count + 1, found.size + size

    def _remove(self, folder: Path) -> None:
        doomed = self.root / "partial" / f"{DOOMED}{secrets.token_hex(6)}"
        doomed.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(doomed)  # atomic for every reader
        shutil.rmtree(doomed, ignore_errors=True)


def check(folder: Path, *, contents: bool = True) -> dict[str, Any]:
    """Return the metadata in an artefact's manifest, after checking its files.

    Raises `Damaged` for a manifest, size, list of files or (with `contents`)
    byte that differs; `FileNotFoundError` if there is no manifest, and other
    `OSError` if part of it may not be read.
    """
    body = unseal((folder / MANIFEST).read_bytes(), f"{folder.name}/{MANIFEST}")
    if body["key"] != folder.name:
        raise Damaged(f"{folder}: holds the artefact of another key, {body['key']}")
    found = _files_below(folder) - {MANIFEST}
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


def _files_below(folder: Path) -> set[str]:
    """Return the names of all files; a folder that may not be read is an error, not an empty one."""

    def refuse(error: OSError) -> None:
        raise error

    walk = os.walk(folder, onerror=refuse)
    return {Path(at, name).relative_to(folder).as_posix() for at, _, names in walk for name in names}


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


def _listdir(folder: Path, problems: list[str]) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        problems.append(f"{folder}: {e.strerror}")
        return []


def _sweep(base: Path) -> None:
    """Remove what dead runs left: on this host their lock tells, elsewhere days of silence do."""
    for name in {p.name.removesuffix(".lock") for p in base.iterdir() if is_ours(p)}:
        if name.startswith(DOOMED):
            shutil.rmtree(base / name, ignore_errors=True)
            continue
        if not lives_here(name) and not seems_dead_elsewhere([base / name, base / f"{name}.lock"]):
            continue
        with contextlib.suppress(PermissionError):  # of another user, who will sweep it
            lock = lock_file(base / f"{name}.lock")
            if lock is not None:
                _remove_run(base, name, lock)


def _remove_run(base: Path, name: str, lock: IO[str]) -> None:
    shutil.rmtree(base / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        (base / f"{name}.lock").unlink(missing_ok=True)
    lock.close()
