"""Rescores records of other metric versions from the stored labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.errors import DataError
from bench.metrics.names import VERSION
from bench.planning import wiring
from bench.records.record import CellRecord
from bench.records.results import Results
from bench.records.store import Store
from bench.records.summary import Scored, read_summary
from bench.stages.context import InputMissing
from bench.stages.recording import scored


def up_to_date(results: Results, store: Store | None) -> Callable[[str], Scored | None]:
    """Return a reader of records, by key, with scores of the current metric version.

    Older ones are rescored if the store still has their labels. Otherwise they are returned unchanged:
    tables omit them, by `metrics_version`, with a note. Nothing is written.
    """

    folder = str(results.records)

    def read(key: str) -> Scored | None:
        found = read_summary(f"{folder}/{key}.json")
        if found is None or found.status.failed or found.metrics_version in (None, VERSION) or store is None:
            return found
        record = results.get(key)
        return (record and rescored(record, store)) or found

    return read


def rescored(record: CellRecord, store: Store) -> CellRecord | None:
    """Return a record with its labels scored by the current metrics; None if the store lacks them."""
    from bench.stages.run import score_again

    parts = record.params.keys()
    keys, step = wiring.keys_of(parts, record.stages), wiring.chain(parts)[-1]
    options = {**record.params["metrics"], "version": VERSION, "extra": ()}
    selections = {part: chosen for part in ("fit", "score") if (chosen := record.params.get(part))}
    try:
        report = score_again(
            wiring.inputs(step, keys, label_free=bool(options.get("label_free"))),
            wiring.scoring(step, selections, options),
            store,
        )
    except (InputMissing, DataError, KeyError):
        return None
    fields = {name: getattr(record, name) for name in CellRecord.model_fields}
    return _with_extra(scored(fields, report, VERSION), record)


def _with_extra(again: CellRecord, record: CellRecord) -> CellRecord:
    """Keep the scores of users' metrics: a new version of the built-in ones does not affect them."""
    names = {m["name"] for m in record.params["metrics"].get("extra", ())}

    def own(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in names}

    return again.model_copy(
        update={
            "metrics": again.metrics | own(record.metrics),
            "intervals": again.intervals | own(record.intervals),
            "parts": {part: v | own(record.parts.get(part, {})) for part, v in again.parts.items()},
        }
    )
