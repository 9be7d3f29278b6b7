"""Scores of records that were made with another version of the metrics, anew from the stored labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.metrics.names import COUNTS, VERSION
from bench.records.record import CellRecord
from bench.records.results import Results
from bench.records.store import Store
from bench.records.summary import Scored, read_summary


def up_to_date(results: Results, store: Store | None) -> Callable[[str], Scored | None]:
    """Return a reader of records, by key, whose scores are of the present version of the metrics.

    Older ones are scored again if the store still has their labels. Else they come back as they are:
    `metrics_version` says so, and tables leave them out with a note. Nothing is written.
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
    """Return a record with the scores of its labels by the present metrics; None if the store lacks them."""
    from bench.errors import DataError
    from bench.stages.run import InputGone, score_again

    try:
        about = score_again(_inputs(record), _params(record), store)
    except (InputGone, DataError, KeyError):
        return None
    scores = about.get("scores", {})
    counts = scores or about["counts"]
    extra = _extra(record)
    return record.model_copy(
        update={
            "metrics": {n: v for n, v in scores.items() if n not in COUNTS} | extra["metrics"],
            "intervals": {n: (low, high) for n, (low, high) in scores.get("intervals", {}).items()}
            | extra["intervals"],
            "parts": {part: v | extra["parts"].get(part, {}) for part, v in about["parts"].items()},
            "metrics_version": VERSION,
            "n_scored": counts["n"],
            "coverage": scores.get("coverage"),
            "classes": scores.get("classes"),
            "clusters": counts["clusters"],
            "noise": counts["noise"],
        }
    )


def _extra(record: CellRecord) -> dict[str, dict[str, Any]]:
    """Return the scores by metrics that do not ship, which another version of those that do leaves alone."""
    names = {m["name"] for m in record.params["metrics"].get("extra", ())}
    return {
        "metrics": {n: v for n, v in record.metrics.items() if n in names},
        "intervals": {n: v for n, v in record.intervals.items() if n in names},
        "parts": {
            part: {n: v for n, v in values.items() if n in names} for part, values in record.parts.items()
        },
    }


def _inputs(record: CellRecord) -> dict[str, str]:
    """Return what the score stage of a cell reads, as `bench.planning.plan` gives it."""
    last = {stage.stage: stage.key for stage in record.stages}
    found = {"images": last["prepare"], "labels": last.get("cluster") or last["predict"]}
    if "pair" in last:
        found["join_probabilities"] = last["pair"]
    if record.params["metrics"].get("label_free"):
        found |= {role: last[s] for s, role in (("encode", "features"), ("reduce", "reduced")) if s in last}
    return found


def _params(record: CellRecord) -> dict[str, object]:
    params = {"score": record.params["score"], **record.params["metrics"], "version": VERSION}
    params.pop("extra", None)
    if "classifier" in record.params:
        fit = record.params["fit"]
        params |= {"supervised": True, "fit": fit, **({} if fit else {"held_out": True})}
    return params
