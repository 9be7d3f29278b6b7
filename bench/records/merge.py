"""Merges results of several machines into one folder. The outcome does not depend on the order.

Of equivalent records (equal `CellRecord.essence`), the one that started first is kept. Of
conflicting records, one is in records/ (scored before failed, then the one that started
first) and the others in conflicts/<digest>/. The plans of all machines are in plans/;
plan.json is generated from them, with one cell per dataset, method and seed, so that tables
can be drawn as for a single run. Superseded records are not merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.adapters.keys import digest
from bench.errors import DataError
from bench.records.record import CellRecord, Newer, Status, read
from bench.records.results import Results
from bench.util.durable import Damaged, seal, unseal, write_whole

_DRAWN = "drawn"
"""File in plans/: the digest of the plan.json generated from them, which is not a plan of its own."""
_HEADER = ("suite", "title", "metrics", "noise", "level", "tables")


@dataclass(frozen=True)
class Conflict:
    """Two or more conflicting records of one key, or keys of one cell."""

    suite: str
    dataset: str
    method: str
    seed: int
    reason: str
    """What conflicts."""
    provenances: list[str]
    """Result and origin of each record; the first one is used."""


@dataclass
class Merged:
    """Outcome of merging one suite."""

    suite: str
    records: int = 0
    """Records in the target now."""
    added: int = 0
    """Records that are new in the target."""
    conflicts: list[Conflict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Records and plans that could not be read; they were not copied."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _RecordFile:
    """One readable record file."""

    data: bytes
    record: CellRecord

    @property
    def essence(self) -> str:
        return digest(self.record.essence())

    @property
    def order(self) -> tuple[bool, str, bytes]:
        started = min((s.started for s in self.record.stages), default="")
        return self.record.status.failed, started, self.data

    def provenance(self) -> str:
        environment = self.record.place
        changes = " with changes" if environment.git_dirty else ""
        commit = f"{(environment.git_commit or 'no commit')[:12]}{changes}"
        versions = {k: v for s in self.record.stages for k, v in s.place.versions.items()}
        named = ", ".join(f"{k} {v}" for k, v in sorted({**versions, "python": environment.python}.items()))
        shown = ", ".join(f"{m} {v:.4f}" for m, v in list(self.record.metrics.items())[:3])
        started = min((s.started for s in self.record.stages), default="never started")
        result = f"{self.record.status}{f' ({shown})' if shown else ''}"
        return f"{result}: {environment.host}, {commit}, {started}, {named}"


def suites_in(folder: Path) -> list[Path]:
    """Return the results folders of suites in a results folder, or the folder itself if it is one.

    Raises `DataError` if there are none.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    if _is_suite(folder):
        return [folder]
    found = sorted(p for p in folder.iterdir() if p.is_dir() and _is_suite(p))
    if not found:
        raise DataError(f"{folder}: no results here; name results/ or a suite in it, e.g. results/quickstart")
    return found


def merge_suite(sources: Sequence[Path], target: Path) -> Merged:
    """Merge the results folders of one suite into another, which may hold results itself.

    Sources are only read. Idempotent. Raises `Newer` if the target holds records that only a later
    version of the program can read.
    """
    out = Merged(target.name)
    folders = [target, *(s for s in sources if s.resolve() != target.resolve())]
    by_key: dict[str, list[_RecordFile]] = {}
    for folder in folders:
        for one in _records(folder, folder == target, out):
            by_key.setdefault(one.record.key, []).append(one)
    plans = {p for folder in folders for p in _plans(folder, out)}
    standing = {key: _settle(found, target, out) for key, found in sorted(by_key.items())}
    out.records = len(standing)
    if plans:
        _write_plans(plans, standing, target, out)
    _merge_logs(folders, target)
    return out


def _is_suite(folder: Path) -> bool:
    return (folder / "plan.json").is_file() or (folder / "records").is_dir()


def _records(folder: Path, is_target: bool, out: Merged) -> Iterator[_RecordFile]:
    for path in sorted([*folder.glob("records/*.json"), *folder.glob("conflicts/*/*.json")]):
        try:
            yield _RecordFile(path.read_bytes(), read(path))
        except Damaged as e:
            out.problems.append(str(e))
        except Newer as e:
            if is_target:
                raise
            out.problems.append(str(e))


def _settle(found: Sequence[_RecordFile], target: Path, out: Merged) -> _RecordFile:
    """Write the records of one key to their folders; return the one in records/."""
    by_essence: dict[str, _RecordFile] = {}
    for one in sorted(found, key=lambda f: f.order):
        by_essence.setdefault(one.essence, one)
    (own, first), *others = by_essence.items()
    key = first.record.key
    for essence, other in others:  # first, so that no record is ever lost
        _write_new(target / "conflicts" / essence / f"{key}.json", other.data)
    path = target / "records" / f"{key}.json"
    if path.exists():
        Results(target.parent, target.name).get(key, quarantine=True)
    else:
        out.added += 1
    _write_new(path, first.data)
    beside = target / "conflicts" / own / f"{key}.json"
    if beside.exists():
        beside.unlink()
        beside.parent.rmdir()
    if others:
        out.conflicts.append(_conflict(f"{len(by_essence)} records of {key}", list(by_essence.values()), out))
    return first


def _conflict(reason: str, found: Sequence[_RecordFile], out: Merged) -> Conflict:
    r = found[0].record
    return Conflict(out.suite, r.dataset, r.method, r.seed, reason, [f.provenance() for f in found])


def _plans(folder: Path, out: Merged) -> Iterator[bytes]:
    """Yield the plans in a folder, except one generated by an earlier merge."""
    drawn = folder / "plans" / _DRAWN
    for path in sorted([*folder.glob("plans/*.json"), *folder.glob("plan.json")]):
        try:
            body = unseal(path.read_bytes(), str(path))
        except Damaged as e:
            out.problems.append(str(e))
            continue
        if not {*_HEADER, "cells"} <= body.keys():
            out.problems.append(f"{path}: not a plan of this version")
        elif not (path.parent == folder and drawn.exists() and drawn.read_text() == digest(body)):
            yield path.read_bytes()


def _write_plans(plans: set[bytes], standing: Mapping[str, _RecordFile], target: Path, out: Merged) -> None:
    bodies = sorted((unseal(p, "plan") for p in plans), key=lambda b: (-len(b["cells"]), digest(b)))
    for body in bodies:
        _write_new(target / "plans" / f"{digest(body)}.json", seal(body))
    for name in _HEADER:
        if any(b[name] != bodies[0][name] for b in bodies):
            out.notes.append(f"plans differ in `{name}`; using that of the plan with most cells")
    extra = {m["name"]: m for body in reversed(bodies) for m in body.get("extra", ())}
    drawn = {name: bodies[0][name] for name in _HEADER}
    drawn |= {"extra": list(extra.values())} if extra else {}
    for name in ("files", "roots"):
        paths = {what: path for body in reversed(bodies) for what, path in body.get(name, {}).items()}
        drawn |= {name: paths} if paths else {}
    drawn["cells"] = _cells(bodies, standing, out)
    _write_new(target / "plans" / _DRAWN, digest(drawn).encode())
    _write_new(target / "plan.json", seal(drawn))


def _cells(
    bodies: Sequence[Mapping[str, Any]], standing: Mapping[str, _RecordFile], out: Merged
) -> list[list[Any]]:
    """Return one cell per dataset, method and seed: scored, else failed, else not run, else blocked."""
    named: dict[tuple[str, str, int], dict[str, list[Any]]] = {}
    for body in bodies:
        for cell in body["cells"]:
            named.setdefault((cell[1], cell[2], cell[3]), {}).setdefault(cell[0], cell)
    chosen = []
    for cells in named.values():
        ranked = sorted(cells, key=lambda key: _rank(standing.get(key)))
        chosen.append(cells[ranked[0]])
        ran = [standing[key] for key in ranked if _rank(standing.get(key)) < _NOT_RUN]
        if len(ran) > 1:
            reason = "code, data or parameters differ: " + ", ".join(f.record.key[:12] for f in ran)
            out.conflicts.append(_conflict(reason, ran, out))
    return chosen


_NOT_RUN = 2


def _rank(found: _RecordFile | None) -> int:
    if found is None:
        return _NOT_RUN
    if found.record.status is Status.BLOCKED:
        return _NOT_RUN + 1
    return int(found.record.status.failed)


def _merge_logs(folders: Sequence[Path], target: Path) -> None:
    """Copy the logs of stages; of two with one name, the first by content."""
    logs: dict[str, bytes] = {}
    for folder in folders:
        for path in folder.glob("logs/*.log"):
            data = path.read_bytes()
            logs[path.name] = min(logs.get(path.name, data), data)
    for name, data in logs.items():
        _write_new(target / "logs" / name, data)


def _write_new(path: Path, data: bytes) -> None:
    """Write a file unless it already has this content."""
    if not (path.is_file() and path.read_bytes() == data):
        write_whole(path, data)
