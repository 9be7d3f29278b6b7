"""`bench status` and `bench show`: print records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.cli.options.suites import ShowOptions, StatusOptions
from bench.cli.results import opened
from bench.errors import UsageError
from bench.metrics.metric import from_description
from bench.metrics.names import METRICS, find_or_unknown
from bench.records.leftout import LeftOut, from_json, left_out
from bench.records.record import CellRecord, Status, read
from bench.records.results import Results
from bench.util.durable import Damaged
from bench.util.text import plural, printable


def show_status(options: StatusOptions) -> int:
    """Print how the cells of the last run ended; return 1 if any has no scores."""
    results, plan = opened(options.suite, options.results)
    records = {c.key: _get(results, c.key) for c in plan.cells}
    counts: Counter[str] = Counter()
    problems = []
    for cell in plan.cells:
        record = records[cell.key]
        state = record if isinstance(record, str) else str(record.status)
        counts[state] += 1
        if isinstance(record, str) or record.status is not Status.OK:
            where = {"key": cell.key, "dataset": cell.dataset, "method": cell.method, "seed": cell.seed}
            error = None if isinstance(record, str) else record.error
            log = None if isinstance(record, str) or not record.log else str(results.folder / record.log)
            problems.append({**where, "status": state, "error": error, "log": log})
    lost = _left_out(records.values())
    bad = sum(n for s, n in counts.items() if s not in (Status.OK, Status.DEGENERATE))
    if options.json:
        facts = {"suite": plan.suite, "statuses": dict(sorted(counts.items())), "problems": problems}
        print(json.dumps({**facts, "left_out": {name: one.as_json() for name, one in lost.items()}}))
        return 1 if bad else 0
    console = Console()
    for p in problems:
        head = f"{p['status']}  {str(p['key'])[:12]}  {p['dataset']} · {p['method']} · seed {p['seed']}"
        console.print(
            printable(head),
            style="yellow" if p["status"] == Status.DEGENERATE else "red",
            markup=False,
            soft_wrap=True,
        )
        for line in filter(None, (p["error"], p["log"] and f"log: {p['log']}")):
            console.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
    for name, one in lost.items():
        text, style = f"{name}: {one.sentence()}", "bold red" if one.loud else "yellow"
        console.print(printable(text), style=style, markup=False, highlight=False, soft_wrap=True)
    summary = ", ".join(f"{n:,} {s}" for s, n in sorted(counts.items()))
    console.print(f"{plan.suite}: {plural(len(plan.cells), 'cell')}: {summary}", highlight=False)
    return 1 if bad else 0


def show_cell(options: ShowOptions) -> None:
    """Print one record."""
    record = read(_find_record(options.cell, options.results))
    if options.json:
        print(record.model_dump_json())
        return
    lost = from_json(record.left_out)
    console = Console()
    console.print(f"{record.dataset} · {record.method} · seed {record.seed}", style="bold", markup=False)
    fields = {
        "suite": record.suite,
        "key": record.key,
        "status": f"{record.status}{': ' + record.error if record.error else ''}",
        "failed stage": record.failed_stage,
        "data": "generated" if record.synthetic else record.data_fingerprint,
        "sees labels": "yes" if record.uses_labels else "no",
        "scored": f"{record.n_scored} images, {record.classes} classes",
        "found": f"{record.clusters} clusters, {record.noise} images labelled as noise",
        "left out": lost.sentence() if lost is not None else len(record.bad_images) or None,
        "commit": f"{record.place.git_commit}{' with changes' if record.place.git_dirty else ''}",
        "host": f"{record.place.host}, {record.place.platform}",
    }
    console.print(_pairs({k: v for k, v in fields.items() if v is not None}))
    if record.metrics:
        console.print(_scores(record))
    if record.parts:
        console.print(_parts(record))
    console.print(_stages(record))
    console.print_json(json.dumps({"params": record.params, "dataset_notes": record.dataset_notes}))


def _left_out(records: Iterable[CellRecord | str]) -> dict[str, LeftOut]:
    """Return what was left out of each dataset, according to the first record that says so."""
    found: dict[str, LeftOut] = {}
    for record in records:
        if not isinstance(record, str) and record.dataset not in found:
            lost = from_json(record.left_out) or left_out(record.bad_images, {}, None)
            if lost is not None:
                found[record.dataset] = lost
    return found


def _get(results: Results, key: str) -> CellRecord | str:
    try:
        return results.get(key) or "missing"
    except Damaged:
        return "damaged"


def _find_record(cell: str, base: Path) -> Path:
    if Path(cell).is_file():
        return Path(cell)
    found = sorted(base.glob(f"*/records/{cell}*.json")) if cell.isalnum() else []
    if not found:
        raise UsageError(f"no record in {base} has a key beginning with {cell!r}; `bench status` lists keys")
    if len(found) > 1:
        listed = ", ".join(f"{p.stem[:12]} ({p.parent.parent.name})" for p in found[:5])
        raise UsageError(f"{len(found)} records have keys beginning with {cell!r}: {listed}")
    return found[0]


def _pairs(fields: dict[str, object]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in fields.items():
        table.add_row(Text(name, style="dim"), Text(str(value)))
    return table


def _scores(record: CellRecord) -> Table:
    table = Table("metric", "value", "low", "high", box=None, pad_edge=False)
    declared = {m["name"]: from_description(m) for m in record.params["metrics"].get("extra", ())}
    for name, value in record.metrics.items():
        low, high = record.intervals.get(name, (None, None))
        ends = [f"{v:.4f}" if v is not None else "" for v in (low, high)]
        table.add_row(find_or_unknown(name, declared).title, f"{value:.4f}", *ends)
    return table


def _parts(record: CellRecord) -> Table:
    names = list(dict.fromkeys(name for values in record.parts.values() for name in values))
    titles = [METRICS[n].title if n in METRICS else n for n in names]
    table = Table("part", *titles, box=None, pad_edge=False)
    for part, values in record.parts.items():
        table.add_row(Text(part), *(f"{values[n]:.4f}" if n in values else "" for n in names))
    return table


def _stages(record: CellRecord) -> Table:
    table = Table(
        "stage", "adapter", "seconds", "peak MiB", "device", "facts and warnings", box=None, pad_edge=False
    )
    for s in record.stages:
        remarks = [f"{k}: {v}" for k, v in s.facts.items()] + s.warnings
        table.add_row(
            s.stage,
            s.adapter,
            f"{s.wall_s:.2f}",
            f"{s.host_peak_bytes / 2**20:.0f}",
            s.device,
            Text("\n".join(remarks)),
        )
    return table
