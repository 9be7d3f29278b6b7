"""`bench run`."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from dataclasses import replace
from types import FrameType
from typing import Any

from rich.console import Console

from bench.cli.console import wide_console
from bench.cli.display import Display
from bench.cli.leaderboard import Written, write_leaderboard
from bench.cli.options.suites import RunOptions
from bench.errors import DataError, UsageError
from bench.execute.run import Interrupted, Options
from bench.execute.run import run as run_plan
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import Cell, Plan, make_plan
from bench.records.record import Status
from bench.records.results import Results
from bench.records.store import Store
from bench.report.tables.render import terminal
from bench.suite import suitefile as suites
from bench.util.text import plural, suggest

FAILED, WRONG, INTERRUPTED = 1, 2, 130


def run_suite(options: RunOptions) -> int:
    """Run a suite, or the `only` cell whose key begins so, and write its leaderboard.

    Returns the exit code of the process; it and the counts are of the cells that were to run.
    """
    console = wide_console(stderr=options.json)
    statuses = _statuses(options.retry)
    suite = suites.load(suites.find(options.suite.name), options.suite.profile, options.data)
    where = options.where
    whole = make_plan(suite, Fingerprints(where.store / "fingerprints.sqlite"))
    results = Results(where.results, suite.name)
    plan = whole
    if options.only is not None:
        plan = replace(whole, cells=[_cell(whole, options.only, results)])
        statuses = frozenset(Status)
    _refuse_without_any_data(plan)
    results.write_plan(whole.on_disk())
    settings = Options(options.jobs, statuses, options.device)
    interrupted = False
    with _Stop() as stop, Display(console, len(plan.cells), quiet=options.quiet) as display:
        try:
            run_plan(plan, Store(where.store), results, settings, display, lambda: stop.asked)
        except Interrupted:
            interrupted = True
    written = write_leaderboard(results, {c.key: results.get(c.key) for c in whole.cells})
    records = {c.key: results.get(c.key) for c in plan.cells}
    counts = Counter(str(r.status) if r is not None else "missing" for r in records.values())
    failed = sum(r is None or r.status.failed for r in records.values())
    code = INTERRUPTED if interrupted else FAILED if failed else 0
    for problem in written.problems:
        print(f"bench: {problem}", file=sys.stderr)
    if options.json:
        print(json.dumps(_summary(results, counts, code)))
    elif not options.quiet:
        _conclude(console, results, written, counts, interrupted=interrupted)
    return code


class _Stop:
    """Turns Ctrl-C, SIGTERM and SIGHUP into a question that the run asks itself now and then."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _Stop:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _: int, __: FrameType | None) -> None:
        self.asked = True


def _statuses(text: str) -> frozenset[Status]:
    words = [w.strip() for w in text.split(",") if w.strip()]
    if "failed" in words:
        words = [w for w in words if w != "failed"] + [str(s) for s in Status if s.failed]
    known = [str(s) for s in Status]
    for word in words:
        if word not in known:
            raise UsageError(f"--retry: no status named {word!r}; {suggest(word, [*known, 'failed'])}")
    return frozenset(Status(w) for w in words)


def _cell(plan: Plan, key: str, results: Results) -> Cell:
    """Return the planned cell whose key begins so."""
    found = [c for c in plan.cells if key and c.key.startswith(key.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        named = [f"{c.key[:12]} ({c.dataset} · {c.method} · seed {c.seed})" for c in found[:5]]
        raise UsageError(f"--only {key}: {len(found)} cells have keys that begin so: {', '.join(named)}")
    hint = "`bench plan --json` lists the keys"
    if key.isalnum() and any(results.records.glob(f"{key.lower()}*.json")):
        hint = f"there is a record of one, but code, data or parameters have changed since; {hint} of now"
    raise UsageError(f"--only {key}: no cell of {results.suite} has a key that begins so; {hint}")


def _refuse_without_any_data(plan: Plan) -> None:
    reasons = dict.fromkeys(c.blocked for c in plan.cells)
    if None not in reasons:
        raise DataError("\n".join(r for r in reasons if r))


def _summary(results: Results, counts: Counter[str], code: int) -> dict[str, object]:
    return {
        "suite": results.suite,
        "exit_code": code,
        "cells": sum(counts.values()),
        "statuses": dict(sorted(counts.items())),
        "leaderboard": str(results.folder / "leaderboard.csv"),
        "records": str(results.records),
    }


def _conclude(
    console: Console, results: Results, written: Written, counts: Counter[str], *, interrupted: bool
) -> None:
    for part in terminal(written.board, console.width):
        console.print(part)
    said = ", ".join(f"{n:,} {s}" for s, n in sorted(counts.items()))
    n = sum(counts.values())
    console.print(f"\n{plural(n, 'cell')}: {said}", highlight=False)
    if interrupted:
        console.print("Interrupted. What is finished is kept; the same command continues.", style="yellow")
    elif any(Status(s).failed for s in counts if s != "missing"):
        again = f"bench status {results.suite}"
        console.print(
            f"Some cells failed: `{again}` says why; `--retry failed` runs them again.", style="red"
        )
    files = f"{results.folder}/leaderboard.{written.suffixes()}"
    console.print(f"Written: {files}", markup=False, highlight=False, soft_wrap=True)
