"""`bench verify` and `bench gc`: check and clean up what is on disk."""

from __future__ import annotations

import json

from rich.console import Console
from rich.progress import track

from bench.cli.options.suites import GcOptions, VerifyOptions
from bench.errors import UsageError
from bench.records.record import read
from bench.records.results import Results
from bench.records.store import Store, check
from bench.util.durable import Damaged


def verify_all(options: VerifyOptions) -> int:
    """Read every record of the suites and every artefact of the store; return 1 if any is damaged."""
    console = Console(stderr=True)
    names, base = options.suites or [], options.folders.results
    store_root, quarantine = options.folders.store, options.quarantine
    known = sorted(p.parent.name for p in base.glob("*/records") if p.is_dir())
    for name in names:
        if name not in known:
            raise UsageError(f"no results of {name!r} in {base}; known: {', '.join(known) or 'none'}")
    damaged: list[str] = []
    records = 0
    for suite in names or known:
        results = Results(base, suite)
        for key in track(results.keys(), f"records of {suite}", console=console, transient=True):
            records += 1
            try:
                read(results.records / f"{key}.json")
            except Damaged as e:
                damaged.append(str(e))
                if quarantine:
                    results.get(key, quarantine=True)
    store = Store(store_root)
    keys = store.keys()
    for key in track(keys, "artefacts", console=console, transient=True):
        try:
            check(store.folder(key))
        except (Damaged, FileNotFoundError) as e:
            damaged.append(str(e))
            if quarantine:
                store.quarantine(key)
    if options.json:
        print(json.dumps({"records": records, "artefacts": len(keys), "damaged": damaged}))
    else:
        for line in damaged:
            print(line)
        done = ", moved to quarantine" if quarantine and damaged else ""
        print(f"{records} records and {len(keys)} artefacts read: {len(damaged)} damaged{done}")
    return 1 if damaged else 0


def collect(options: GcOptions) -> None:
    """Remove artefacts unused for `unused_days` days."""
    dry_run = options.dry_run
    count, size = Store(options.store).collect(options.unused_days * 86400, dry_run=dry_run)
    if options.json:
        print(json.dumps({"removed": count, "bytes": size, "dry_run": dry_run}))
    else:
        done = "would remove" if dry_run else "removed"
        print(f"{done} {count} artefacts, {size / 2**20:.1f} MiB, from {options.store}")
