"""Records, and the images of a cell, as data frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.adapters.spec import AdapterSpec
from bench.api.opened import Where, open_results, store_of, suites_in
from bench.errors import CutjoinError, DataError, UsageError
from bench.interfaces import Dataset
from bench.records.record import CellRecord
from bench.records.results import PlannedCell, PlanOnDisk, Results
from bench.stages.finished import FinishedCell

_GIB = 2**30


def records(where: Where) -> pd.DataFrame:
    """Return the cells of a suite, or of all suites in a folder, as one row each.

    Parameters
    ----------
    where : what `run` returned; a suite; a folder `results/<suite>`, or the one that holds such folders; or
        the name of a suite.

    Returns
    -------
    One row per planned cell, in the order of the suite, also for cells that failed or have not run (status
    `missing`). Columns: suite, dataset, method, seed, status, error; counts; seconds (sum over its stages,
    including shared ones), host_gib and gpu_gib (peaks); every metric, with `_low` and `_high`
    of its interval; scores of parts, e.g. `clusters.silhouette`; then every parameter, e.g. `encoder`
    and `encoder.dims`; key, and results (the suite's folder).

    Raises
    ------
    UsageError : nothing has run there.
    Damaged : a record is damaged.

    Examples
    --------
    >>> frame = cutjoin.records(folder)
    >>> frame.groupby("method")["ami"].mean().idxmax() in set(frame["method"])
    True
    """
    rows = []
    for results in suites_in(where):
        plan = results.read_plan()
        rows += [_row(results, cell, results.get(cell.key)) for cell in plan.cells]
    frame = pd.DataFrame([{name: _text(value) for name, value in row.items()} for row in rows])
    last = ["key", "results"]
    return frame[[c for c in frame.columns if c not in last] + last]


def images(
    cell: str | Mapping[Any, Any] | pd.Series[Any],
    where: Where | None = None,
    *,
    store: str | Path | None = None,
    features: bool | Literal["reduced"] = False,
    paths: bool = True,
) -> pd.DataFrame:
    """Return the scored images of a cell with their clusters, one row each.

    Parameters
    ----------
    cell : a row of `records`; or the key of a cell, or a prefix of it, with `where` as for `records`.
    store : folder of artefacts. Default: that of `where` if it is what `run` returned; else `$BENCH_STORE`,
        or the user's cache folder.
    features : also the encoder's features as columns `f0`, `f1`...; "reduced": those after the reducer.
    paths : look up each image's `path` in the data; takes as long as listing the data.

    Returns
    -------
    Columns: id; path (missing if the data no longer exists or is not one file per image); label (missing
    where unknown); cluster (-1 = noise; for a classifier, the index of the predicted class, -1 for one that
    no scored image has); predicted (its name, for classifiers only); then the other columns of the image
    set, e.g. split or bag.

    Raises
    ------
    UsageError : no such cell, or it has no clusters or no features.
    DataError : its artefacts are no longer in the store; the message names the command to recompute them.

    Examples
    --------
    >>> best = cutjoin.records(folder).sort_values("ami").iloc[-1]
    >>> found = cutjoin.images(best, store=store)
    >>> list(found.columns[:4])
    ['id', 'path', 'label', 'cluster']
    """
    results, key = _cell(cell, where)
    record = _record(results, key)
    plan = results.read_plan()
    opened = FinishedCell(record, store_of(where, store), plan.files)
    table = opened.table
    path = _paths(opened, plan) if paths else {}
    own: dict[str, Any] = {
        "id": table["id"],
        "path": pd.Series([path.get(i) for i in table["id"]], dtype=object),  # names may not be UTF-8
        "label": table["label"],
        "cluster": opened.clusters,
    }
    if opened.predicted:
        own["predicted"] = [opened.classes[i] if i >= 0 else None for i in opened.clusters]
    rest = {name: table[name] for name in table.columns if name not in own}
    return pd.concat([pd.DataFrame({**own, **rest}), _features(opened, features)], axis=1)


def _row(results: Results, cell: PlannedCell, record: CellRecord | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "suite": results.suite,
        "dataset": cell.dataset,
        "method": cell.method,
        "seed": cell.seed,
        "status": str(record.status) if record is not None else "missing",
        "error": record.error if record is not None else None,
        "trivial": cell.trivial,
        "synthetic": cell.synthetic,
    }
    last = {"key": cell.key, "results": str(results.folder.absolute())}
    if record is None:
        return {**row, **last}
    row |= {
        "uses_labels": record.uses_labels,
        "images": record.n_scored,
        "classes": record.classes,
        "clusters": record.clusters,
        "noise": record.noise,
        "coverage": record.coverage,
        "seconds": record.wall_s,
        "host_gib": record.host_peak_bytes / _GIB,
        "gpu_gib": record.gpu_peak_bytes / _GIB if record.gpu_peak_bytes is not None else None,
        "metrics_version": record.metrics_version,
    }
    for name, value in record.metrics.items():
        low, high = record.intervals.get(name, (None, None))
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    for part, values in record.parts.items():
        row |= {f"{part}.{name}": value for name, value in values.items()}
    return {**row, **dict(_parameters(record.params)), **last}


def _text(value: Any) -> Any:
    """Write what is not UTF-8 in a text, e.g. the name of a file, with escapes: data frames refuse it."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _parameters(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every parameter of a cell by its dotted name; an adapter by its name."""
    for part, value in params.items():
        if part == "dataset":  # the column of that name has its name in the suite
            yield "dataset.use", value["adapter"].rpartition("@")[0]
            yield from _dotted(part, value["params"])
        elif part != "metrics":
            yield from _parameter(part, value)


def _parameter(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value.keys() == {"adapter", "params"}:
        yield name, value["adapter"].rpartition("@")[0]
        yield from _dotted(name, value["params"])
    elif isinstance(value, dict):
        yield from ((f"{name}.{inner}", v) for inner, v in value.items())
    else:
        yield name, value


def _dotted(name: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for inner, value in params.items():
        yield from _parameter(f"{name}.{inner}", value)


def _cell(cell: str | Mapping[Any, Any] | pd.Series[Any], where: Where | None) -> tuple[Results, str]:
    """Return the results that a cell belongs to, and its full key."""
    if not isinstance(cell, str):
        if "key" not in cell or "results" not in cell:
            raise UsageError(
                "images: cell must be a row of `records`, e.g. records(folder).iloc[0], or a key"
            )
        folder = Path(str(cell["results"]))
        return Results(folder.parent, folder.name), str(cell["key"])
    if where is None:
        raise UsageError(f"cell {cell}: name its suite, e.g. images({cell!r}, 'quickstart')")
    results = open_results(where)
    found = [c.key for c in results.read_plan().cells if cell and c.key.startswith(cell.lower())]
    if len(found) != 1:
        raise UsageError(f"cell {cell!r}: {len(found)} cells of {results.suite} match this key")
    return results, found[0]


def _record(results: Results, key: str) -> CellRecord:
    record = results.get(key)
    if record is None:
        raise UsageError(f"cell {key[:12]} of {results.suite} has not run")
    if record.status.failed:
        raise UsageError(
            f"cell {key[:12]} ({record.dataset} · {record.method} · seed {record.seed}) has no clusters: "
            f"{record.status}, {record.error}"
        )
    return record


def _paths(cell: FinishedCell, plan: PlanOnDisk) -> dict[str, str]:
    """Return id -> path of the images; empty if the data no longer exists."""
    described = cell.record.params["dataset"]
    generated = cell.stages("synthesize")
    try:
        root = cell.artefact(generated[0]) / "data" if generated else Path(plan.roots[cell.record.dataset])
        root = root.absolute()
        dataset = AdapterSpec.from_record("dataset", described, plan.files).build()
        assert isinstance(dataset, Dataset)
        found = dataset.open(root)
    except (CutjoinError, OSError, KeyError):
        return {}
    ids = found.table["id"].astype(str)
    where = ((i, found.where(row)) for row, i in enumerate(ids))
    return {i: path for i, path in where if Path(path).is_absolute()}


def _features(cell: FinishedCell, which: bool | Literal["reduced"]) -> pd.DataFrame | None:
    if which is False:
        return None
    found = cell.reduced if which == "reduced" else cell.features
    if found is None:
        what = "reduced features" if which == "reduced" else "features"
        raise UsageError(f"{cell.record.method} has no {what}; see its parts in `records`")
    if len(found) != len(cell.table):
        raise DataError(f"{cell.record.key[:12]}: {len(found)} features for {len(cell.table)} images")
    array = np.asarray(found)
    return pd.DataFrame(array, columns=[f"f{i}" for i in range(array.shape[1])])
