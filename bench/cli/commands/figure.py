"""`bench figure`: figures from records and the store."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.cli.options.reports import FigureOptions
from bench.cli.results import opened
from bench.errors import DataError
from bench.metrics.names import find
from bench.records.record import CellRecord
from bench.records.results import PlannedCell, PlanOnDisk, Results
from bench.records.store import Store
from bench.report.figures.kinds import KINDS, OF_SUITES, kind, kind_of_suite
from bench.report.tables.leaderboard import build
from bench.util.text import suggest


@dataclass(frozen=True)
class Wish:
    """Which cell is to be drawn, as far as the user said."""

    dataset: str | None = None
    method: str | None = None
    seed: int | None = None
    against: str | None = None
    by: str | None = None


def draw_figures(options: FigureOptions) -> None:
    """Draw one kind of figure, or all that the methods and the data allow; print the files.

    Raises `DataError` for names that the suite does not have, a cell without scores, artefacts that are
    gone, and data that does not allow the figure; with `all`, only if nothing can be drawn.
    """
    what, as_json = options.kind, options.json
    wish = Wish(options.dataset, options.method, options.seed, options.against, options.by)
    every = [*KINDS, *OF_SUITES]
    if what not in every and what != "all":
        raise DataError(f"no figure named {what!r}; {suggest(what, ['all', *every])}")
    results, plan = opened(options.suite, options.where.results)
    folder = options.out or results.folder / "figures"
    drawn: list[dict[str, object]] = []
    left_out: dict[str, str] = {}
    for one in every if what == "all" else [what]:
        try:
            if one in OF_SUITES:
                drawn.append(_draw_of_suite(one, results, plan, wish, folder, asked=what != "all"))
            else:
                drawn.append(_draw(one, results, plan, Store(options.where.store), wish, folder))
        except DataError as e:
            if what != "all":
                raise
            left_out[one] = str(e)
            continue
        if not as_json:
            d = drawn[-1]
            cell = f"{d['dataset']} · {d['method']} · seed {d['seed']}"
            print(f"{one}: {cell if one in KINDS else d['metric']}")
            for path in d["files"] if isinstance(d["files"], list) else ():
                print(f"    {path}")
    if not drawn:
        raise DataError("\n".join(f"{one}: {why}" for one, why in left_out.items()))
    if as_json:
        print(json.dumps({"figures": drawn, "left_out": left_out}))
    for one, why in left_out.items() if not as_json else ():
        print(f"{one}: left out: {why}", file=sys.stderr)


def _draw(
    what: str, results: Results, plan: PlanOnDisk, store: Store, wish: Wish, folder: Path
) -> dict[str, object]:
    from bench.report.figures.style import Options, applied, write
    from bench.stages.cell import Cell

    record = _chosen(what, results, plan, wish)
    against = _against(results, plan, record, wish)
    cell = Cell(record, store)
    options = Options(by=wish.by, against=Cell(against, store) if against else None)
    words = [what, record.dataset, record.method]
    if against is not None:
        words += ["against", against.method]
    if wish.by is not None:
        words += ["by", wish.by]
    base = folder / f"{'-'.join(map(_safe, words))}-s{record.seed}"
    with applied():
        files = write(kind(what).draw(cell, options), base)
    return {
        "kind": what,
        "dataset": record.dataset,
        "method": record.method,
        "seed": record.seed,
        "against": against.method if against else None,
        "synthetic": record.synthetic,
        "files": [str(f) for f in files],
    }


def _draw_of_suite(
    what: str, results: Results, plan: PlanOnDisk, wish: Wish, folder: Path, *, asked: bool
) -> dict[str, object]:
    from bench.report.figures.style import applied, write

    metric = wish.by if wish.by is not None and asked else plan.metrics[0]
    try:
        find(metric, plan.declared)
    except KeyError:
        raise DataError(f"--by: no metric named {metric!r}; {suggest(metric, plan.metrics)}") from None
    board = build(plan, results.get, [metric])
    with applied():
        files = write(kind_of_suite(what).draw(board, metric), folder / f"{what}-{_safe(metric)}")
    return {
        "kind": what,
        "metric": metric,
        "synthetic": any(one.synthetic for one in board.boards),
        "files": [str(f) for f in files],
    }


def _chosen(what: str, results: Results, plan: PlanOnDisk, wish: Wish) -> CellRecord:
    """Return the record to draw: unless said, of the first dataset, best method that fits, first seed."""
    datasets = list(dict.fromkeys(c.dataset for c in plan.cells))
    dataset = _known("dataset", wish.dataset, datasets) if wish.dataset else datasets[0]
    cells = [c for c in plan.cells if c.dataset == dataset]
    if wish.method:
        method = _known("method", wish.method, list(dict.fromkeys(c.method for c in cells)))
        record = _record(results, [c for c in cells if c.method == method], wish.seed)
        reason = kind(what).unfit(record)
        if reason:
            raise DataError(f"{method} {reason}")
        return record
    (board,) = build(plan, results.get, (), [dataset]).boards
    reasons: dict[str, str] = {}
    for row in sorted(board.rows, key=lambda r: r.trivial):
        if not row.scored:
            continue
        record = _record(results, [c for c in cells if c.method == row.method], wish.seed)
        reason = kind(what).unfit(record)
        if reason is None:
            return record
        reasons.setdefault(reason, row.method)
    said = "; ".join(f"{method} {reason}" for reason, method in reasons.items()) or "none has scores"
    raise DataError(f"{what}: no method on {dataset} allows it: {said}")


def _against(results: Results, plan: PlanOnDisk, record: CellRecord, wish: Wish) -> CellRecord | None:
    if wish.against is None:
        return None
    cells = [c for c in plan.cells if c.dataset == record.dataset]
    method = _known("method", wish.against, list(dict.fromkeys(c.method for c in cells)))
    return _record(results, [c for c in cells if c.method == method], record.seed)


def _record(results: Results, cells: list[PlannedCell], seed: int | None) -> CellRecord:
    """Return the record of one seed, or of the first one that has scores."""
    seeds = [c.seed for c in cells]
    if seed is not None and seed not in seeds:
        raise DataError(f"--seed: {seed} is not among the seeds of {cells[0].method}: {seeds}")
    records = [results.get(c.key) for c in cells if seed is None or c.seed == seed]
    scored = [r for r in records if r is not None and not r.status.failed]
    if scored:
        return scored[0]
    c = cells[0]
    why = next((f"{r.status}: {r.error}" for r in records if r is not None), "it has not run yet")
    raise DataError(
        f"{c.dataset} · {c.method}{f' · seed {seed}' if seed is not None else ''} has no scores: {why}"
    )


def _known(what: str, name: str, names: list[str]) -> str:
    if name not in names:
        raise DataError(f"no {what} named {name!r} in the last run; {suggest(name, names)}")
    return name


def _safe(name: str) -> str:
    """Return a name as part of a file name on any system."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:60] or "x"
