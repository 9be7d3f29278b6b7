"""`bench verify` and `bench gc`: check and clean up what is on disk."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench.cli.options.suites import GcOptions, VerifyOptions
from bench.errors import UsageError
from bench.records.marker import require_store
from bench.records.record import read
from bench.records.results import Results
from bench.records.store import Store, check
from bench.util.durable import Damaged


def verify_all(options: VerifyOptions) -> int:
    """Read every record of the suites and every artefact of the store.

    Returns 1 if any is damaged or may not be read.
    """
    console = Console(stderr=True)
    base, quarantine = options.folders.results, options.quarantine
    store, findings = Store(options.folders.store), _Findings()
    if quarantine:
        _say(require_store(store.root) if store.root.exists() else None)
    for suite in _suites(base, options.suites or []):
        results = Results(base, suite)
        try:
            keys = results.keys()
        except OSError as e:
            findings.unreadable.append(f"{results.records}: {e.strerror}")
            continue
        for key in track(keys, f"records of {suite}", console=console, transient=True):
            findings.records += 1
            path = results.records / f"{key}.json"
            if findings.is_damaged(path, read) and quarantine:
                results.get(key, quarantine=True)
    findings.unreadable += store.unreadable()
    for key in track(store.keys(), "artefacts", console=console, transient=True):
        findings.artefacts += 1
        folder = store.folder(key)
        if findings.is_damaged(folder, check) and quarantine:
            store.quarantine(key)
    _print(findings, options)
    return 1 if findings.damaged or findings.unreadable else 0


@dataclass
class _Findings:
    records: int = 0
    artefacts: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def is_damaged(self, path: Path, reader: Callable[[Path], object]) -> bool:
        """Read something; note it if it is damaged or may not be read."""
        try:
            reader(path)
        except (Damaged, FileNotFoundError) as e:
            self.damaged.append(str(e))
            return True
        except OSError as e:
            self.unreadable.append(f"{e.filename or path}: {e.strerror}")
        return False


def collect(options: GcOptions) -> int:
    """Remove artefacts unused for `unused_days` days.

    Returns 1 if something could not be looked at or removed. Raises `UsageError` if there is no store.
    """
    dry_run, store = options.dry_run, Store(options.store)
    _say(require_store(store.root))
    found = store.collect(options.unused_days * 86400, dry_run=dry_run)
    if options.json:
        body = {"removed": found.count, "bytes": found.size, "dry_run": dry_run, "problems": found.problems}
        print(json.dumps(body))
    else:
        done = "would remove" if dry_run else "removed"
        print(f"{done} {found.count} artefacts, {found.size / 2**20:.1f} MiB, from {options.store}")
        if found.future:
            print(f"{found.future} are dated in the future and count as used today; is the clock right?")
    for problem in found.problems:
        _say(problem)
    return 1 if found.problems else 0


def _suites(base: Path, names: Sequence[str]) -> Sequence[str]:
    """Return the suites to read: those named, else all that have records or may not be looked at."""
    known = sorted(p.name for p in base.iterdir() if _may_hold_records(p)) if base.is_dir() else []
    for name in names:
        if name not in known:
            raise UsageError(f"no results of {name!r} in {base}; known: {', '.join(known) or 'none'}")
    return names or known


def _may_hold_records(folder: Path) -> bool:
    try:
        return stat.S_ISDIR((folder / "records").stat().st_mode)
    except PermissionError:
        return True
    except OSError:
        return False


def _print(findings: _Findings, options: VerifyOptions) -> None:
    if options.json:
        print(json.dumps(asdict(findings)))
        return
    for line in (*findings.damaged, *(f"cannot be read: {x}" for x in findings.unreadable)):
        print(line)
    done = ", moved to quarantine" if options.quarantine and findings.damaged else ""
    closed = f", {len(findings.unreadable)} could not be read" if findings.unreadable else ""
    print(
        f"{findings.records} records and {findings.artefacts} artefacts read: "
        f"{len(findings.damaged)} damaged{done}{closed}"
    )


def _say(notice: str | None) -> None:
    if notice is not None:
        print(f"bench: {notice}", file=sys.stderr)
