"""`bench figure`: figures from records and the store."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.options.reports import FigureOptions
from bench.cli.results import opened
from bench.errors import AdapterError, CutjoinError, DataError, UsageError
from bench.metrics.names import find as find_metric
from bench.records.record import CellRecord
from bench.records.results import PlannedCell, PlanOnDisk, Results
from bench.records.store import Store
from bench.report.drawing.figure import FIGURES, AnyFigure, Figure, SuiteFigure, find, guarded
from bench.report.tables.leaderboard import build
from bench.util.text import suggest

if TYPE_CHECKING:
    from bench.report.drawing.style import Drawing
    from bench.stages.finished import FinishedCell

ALL = "all"


@dataclass(frozen=True)
class _Source:
    """What figures are drawn from, and where to."""

    results: Results
    plan: PlanOnDisk
    store: Store
    folder: Path
    request: FigureOptions
    """Which cell to draw, as far as the command line says."""

    def cell(self, record: CellRecord) -> FinishedCell:
        """Open a finished cell."""
        from bench.stages.finished import FinishedCell

        return FinishedCell(record, self.store, self.plan.files)


def draw_figures(options: FigureOptions) -> None:
    """Draw one figure, by its name or file, or all that the methods and the data allow; print the files.

    Raises `UsageError` for names that the suite does not have, `AdapterError` for a figure that does not
    exist or fails, and `DataError` for a cell without scores, artefacts that are gone, and data that does
    not allow the figure; with `all`, only if nothing can be drawn.
    """
    what, as_json = options.kind, options.json
    asked = None if what == ALL else find(what)
    results, plan = opened(options.suite, options.folders.results)
    folder = options.out or results.folder / "figures"
    source = _Source(results, plan, Store(options.folders.store), folder, options)
    drawn: list[dict[str, object]] = []
    left_out: dict[str, str] = {}
    for one in [what] if asked else FIGURES.names():
        try:
            drawn.append(_draw(asked or find(one), source, asked=asked is not None))
        except CutjoinError as e:
            if asked:
                raise
            left_out[one] = str(e)
            continue
        if not as_json:
            _print(drawn[-1])
    if not drawn:
        raise DataError("\n".join(f"{one}: {why}" for one, why in left_out.items()))
    if as_json:
        print(json.dumps({"figures": drawn, "left_out": left_out}))
    for one, why in left_out.items() if not as_json else ():
        print(f"{one}: left out: {why}", file=sys.stderr)


def _print(drawn: dict[str, object]) -> None:
    cell = f"{drawn.get('dataset')} · {drawn.get('method')} · seed {drawn.get('seed')}"
    print(f"{drawn['kind']}: {drawn.get('metric', cell)}")
    for path in drawn["files"] if isinstance(drawn["files"], list) else ():
        print(f"    {path}")


def _draw(figure: AnyFigure, source: _Source, *, asked: bool) -> dict[str, object]:
    if isinstance(figure, SuiteFigure):
        return _draw_suite(figure, source, asked=asked)
    return _draw_cell(figure, source)


def _draw_cell(figure: Figure, source: _Source) -> dict[str, object]:
    from bench.report.drawing.style import DrawOptions

    cell = _chosen(figure, source)
    record = cell.record
    against = _against(source, record)
    options = DrawOptions(by=source.request.by, against=source.cell(against) if against else None)

    def draw() -> tuple[Drawing, str]:
        return figure.draw(cell, options), figure.file_name(record, options)

    return {
        "kind": figure.name,
        "dataset": record.dataset,
        "method": record.method,
        "seed": record.seed,
        "against": against.method if against else None,
        "synthetic": record.synthetic,
        "files": _written(figure, draw, source.folder),
    }


def _draw_suite(figure: SuiteFigure, source: _Source, *, asked: bool) -> dict[str, object]:
    by = source.request.by
    metric = by if by is not None and asked else source.plan.metrics[0]
    try:
        find_metric(metric, source.plan.declared)
    except KeyError:
        raise UsageError(
            f"--by: no metric named {metric!r}; {suggest(metric, source.plan.metrics)}"
        ) from None
    board = build(source.plan, source.results.get, [metric])

    def draw() -> tuple[Drawing, str]:
        return figure.draw(board, metric), figure.file_name(metric)

    return {
        "kind": figure.name,
        "metric": metric,
        "synthetic": any(one.synthetic for one in board.boards),
        "files": _written(figure, draw, source.folder),
    }


def _written(figure: AnyFigure, draw: Callable[[], tuple[Drawing, str]], folder: Path) -> list[str]:
    """Draw, and write the files; a user's figure may also fail when it is rendered."""
    from bench.report.drawing.style import Drawing, applied, write

    def drawn() -> list[Path]:
        drawing, name = draw()
        if not isinstance(drawing, Drawing) or Path(name).name != name:
            raise AdapterError(
                f"figure {figure.name!r}: `draw` returns a Drawing and `file_name` the name of a file, not "
                f"{type(drawing).__name__} and {name!r}"
            )
        return write(drawing, folder / name)

    with applied():
        return [str(file) for file in guarded(type(figure), figure.name, drawn)]


def _unavailable(figure: Figure, cell: FinishedCell) -> str | None:
    return guarded(type(figure), figure.name, lambda: figure.unavailable_because(cell))


def _chosen(figure: Figure, source: _Source) -> FinishedCell:
    """Return the cell to draw: unless given, of the first dataset, best method that has it, first seed."""
    plan, results, request = source.plan, source.results, source.request
    datasets = list(dict.fromkeys(c.dataset for c in plan.cells))
    dataset = _known("dataset", request.dataset, datasets) if request.dataset else datasets[0]
    cells = [c for c in plan.cells if c.dataset == dataset]
    if request.method:
        method = _known("method", request.method, list(dict.fromkeys(c.method for c in cells)))
        cell = source.cell(_record(results, [c for c in cells if c.method == method], request.seed))
        reason = _unavailable(figure, cell)
        if reason:
            raise DataError(f"{method} {reason}")
        return cell
    (board,) = build(plan, results.get, (), [dataset]).boards
    reasons: dict[str, str] = {}
    for row in sorted(board.rows, key=lambda r: r.trivial):
        if not row.scored:
            continue
        cell = source.cell(_record(results, [c for c in cells if c.method == row.method], request.seed))
        reason = _unavailable(figure, cell)
        if reason is None:
            return cell
        reasons.setdefault(reason, row.method)
    why = "; ".join(f"{method} {reason}" for reason, method in reasons.items()) or "none has scores"
    raise DataError(f"{figure.name}: no method on {dataset} allows it: {why}")


def _against(source: _Source, record: CellRecord) -> CellRecord | None:
    if source.request.against is None:
        return None
    cells = [c for c in source.plan.cells if c.dataset == record.dataset]
    method = _known("method", source.request.against, list(dict.fromkeys(c.method for c in cells)))
    return _record(source.results, [c for c in cells if c.method == method], record.seed)


def _record(results: Results, cells: list[PlannedCell], seed: int | None) -> CellRecord:
    """Return the record of one seed, or of the first one that has scores."""
    seeds = [c.seed for c in cells]
    if seed is not None and seed not in seeds:
        raise UsageError(f"--seed: {seed} is not among the seeds of {cells[0].method}: {seeds}")
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
        raise UsageError(f"no {what} named {name!r} in the last run; {suggest(name, names)}")
    return name
