"""`bench plan`."""

from __future__ import annotations

import json
from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.cli.options.suites import PlanOptions
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import Cell, Plan, make_plan
from bench.records.results import Results
from bench.records.store import Store
from bench.suite import suitefile as suites
from bench.suite.names import identity
from bench.util.durable import Damaged
from bench.util.text import plural


def show_plan(options: PlanOptions) -> None:
    """Print what a run would do, without doing or changing any of it."""
    suite = suites.load(suites.find(options.suite.name), options.suite.profile, options.data)
    folders = options.folders
    plan = make_plan(suite, Fingerprints(folders.store / "fingerprints.sqlite", read_only=True))
    results, store = Results(folders.results, suite.name), Store(folders.store)
    results.refuse_other(identity(suite.file))
    states = {cell.key: _state(cell, results) for cell in plan.cells}
    needed = {key for cell in plan.cells if states[cell.key] == "to do" for key in cell.stages}
    cached = {key for key in needed if store.holds(key)}
    if options.json:
        print(json.dumps(_as_json(plan, states, needed, cached)))
        return
    console = Console()
    table = Table(box=None, pad_edge=False)
    for column in ("dataset", "method", "to do", "cached", "blocked"):
        table.add_column(column, justify="left" if column in ("dataset", "method") else "right")
    for (dataset, method), counts in _by_method(plan, states).items():
        numbers = [str(counts[s]) if counts[s] else "·" for s in ("to do", "cached", "blocked")]
        table.add_row(Text(dataset), Text(method), *numbers)
    console.print(table)
    total = Counter(states.values())
    console.print(
        f"\n{plural(len(plan.cells), 'cell')}: {total['to do']:,} to do, {total['cached']:,} cached, "
        f"{total['blocked']:,} blocked; {plural(len(needed) - len(cached), 'stage')} to run, "
        f"{len(cached):,} in the store",
        highlight=False,
    )
    for reason in dict.fromkeys(c.blocked for c in plan.cells if c.blocked):
        console.print(f"blocked: {reason}", style="magenta", markup=False, highlight=False, soft_wrap=True)


def _state(cell: Cell, results: Results) -> str:
    try:
        if results.get(cell.key) is not None:
            return "cached"
    except Damaged:
        return "to do"
    return "blocked" if cell.blocked else "to do"


def _by_method(plan: Plan, states: dict[str, str]) -> dict[tuple[str, str], Counter[str]]:
    counts: dict[tuple[str, str], Counter[str]] = {}
    for cell in plan.cells:
        counts.setdefault((cell.dataset, cell.method), Counter())[states[cell.key]] += 1
    return counts


def _as_json(plan: Plan, states: dict[str, str], needed: set[str], cached: set[str]) -> dict[str, object]:
    return {
        "suite": plan.suite.name,
        "cells": [
            {
                "key": c.key,
                "dataset": c.dataset,
                "method": c.method,
                "seed": c.seed,
                "state": states[c.key],
                "blocked": c.blocked,
                "stages": list(c.stages),
            }
            for c in plan.cells
        ],
        "stages_to_run": len(needed) - len(cached),
        "stages_cached": len(cached),
    }
