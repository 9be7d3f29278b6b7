"""What a method was set to, and what each of its cells was computed from, where, and with what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.records.leftout import from_json, left_out
from bench.records.record import CellRecord, Environment, StageRecord
from bench.report.site.html import table
from bench.util.html import Child, Html, tag


def configuration(record: CellRecord) -> Html:
    """Return every parameter of every part, defaults written out, as one table per part."""
    parts = []
    for name, value in record.params.items():
        if value in (None, {}):
            continue
        rows = list(_flat(value))
        adapter = value.get("adapter") if isinstance(value, Mapping) else None
        head = [name, " ", tag("code", str(adapter))] if adapter else [name]
        body = _pairs((k, v) for k, v in rows if k != "adapter")
        parts.append(tag("section", tag("h3", head), body))
    return tag("div", parts, class_="parts")


def _left_out(record: CellRecord) -> str | None:
    lost = from_json(record.left_out) or left_out(record.bad_images, {}, None)
    return lost.sentence() if lost is not None else None


def cell(record: CellRecord, command: str) -> Html:
    """Return all that a record says of one cell, folded, and how to run it again."""
    title = [f"Seed {record.seed}: {record.status}", tag("code", record.key[:12])]
    facts = {
        "key": record.key,
        "error": record.error,
        "failed stage": record.failed_stage,
        "log, in the suite's results": record.log,
        "data": "generated" if record.synthetic else "real",
        "fingerprint of the data": record.data_fingerprint,
        "sees labels": "yes" if record.uses_labels else "no",
        "images scored": f"{record.n_scored:,}",
        "share of the labelled images scored": _known(record.coverage, ".1%"),
        "clusters": record.clusters,
        "images called noise": record.noise,
        "images left out": _left_out(record),
        "seconds, all stages": f"{record.wall_s:.1f}",
        "peak memory": _memory(record.host_peak_bytes),
        "peak memory of the GPU": _memory(record.gpu_peak_bytes),
        "version of the metrics": record.metrics_version,
        **_place(record.place),
        **{f"note: {k}": json.dumps(v, ensure_ascii=False) for k, v in record.dataset_notes.items()},
    }
    known = _pairs((k, str(v)) for k, v in facts.items() if v is not None)
    stages = [_stage(s) for s in record.stages]
    again = [
        tag("p", "Run it again:"),
        tag("pre", tag("code", command), tabindex=0),
        tag(
            "p",
            "This repeats this cell alone; a stage whose artefact the store holds is not computed anew.",
            class_="note",
        ),
    ]
    inside = [again, known, tag("h3", "Stages"), stages or tag("p", "No stage ran.")]
    return tag("details", tag("summary", title), inside, class_="cell", id=f"cell-{record.key[:12]}")


def _stage(stage: StageRecord) -> Html:
    facts: dict[str, Child] = {
        "key": stage.key,
        "started": stage.started,
        "seconds": f"{stage.wall_s:.2f}",
        "peak memory": _memory(stage.host_peak_bytes),
        "peak memory of the GPU": _memory(stage.gpu_peak_bytes),
        "device": stage.device,
        "threads": stage.threads,
        "seed": stage.seed,
        **_place(stage.place),
    }
    for name, value in stage.facts.items():
        if name != "curve":  # drawn above
            facts[f"fact: {name}"] = json.dumps(value, ensure_ascii=False)
    for i, warning in enumerate(stage.warnings, 1):
        facts[f"warning {i}"] = warning
    title = [stage.stage, " ", tag("code", stage.adapter), f" {stage.wall_s:.1f} s"]
    return tag("details", tag("summary", title), _pairs((k, v) for k, v in facts.items() if v is not None))


def _place(place: Environment) -> dict[str, str]:
    changed = " with changes" if place.git_dirty else ""
    found = {
        "host": f"{place.host}, {place.platform}",
        "processor": place.processor,
        "python": place.python,
        "cutjoin": f"{place.cutjoin}, commit {place.git_commit}{changed}"
        if place.git_commit
        else place.cutjoin,
    }
    if place.versions:
        found["versions"] = ", ".join(f"{k} {v}" for k, v in sorted(place.versions.items()))
    return found


def _pairs(rows: Any) -> Html:
    """Return names and values, as pairs that wrap on a narrow screen."""
    return tag("dl", [tag("div", tag("dt", k), tag("dd", v)) for k, v in rows])


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Walk nested parameters; `params` of an adapter is left out of the names."""
    if not isinstance(value, Mapping):
        yield prefix or "value", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return
    for key, inner in value.items():
        yield from _flat(inner, prefix if key == "params" else f"{prefix}.{key}" if prefix else str(key))


def _memory(count: int | None) -> str | None:
    return f"{count / 2**20:,.0f} MiB" if count else None


def _known(value: float | None, how: str) -> str | None:
    return None if value is None else format(value, how)


def scores(records: list[CellRecord], titles: Mapping[str, str]) -> Html:
    """Return every metric of every seed, with its interval over images."""
    seeds = [f"seed {r.seed}" for r in records]
    names = list(dict.fromkeys(m for r in records for m in r.metrics))
    rows = [[titles.get(m, m), *(_value(r, m) for r in records)] for m in names]
    parts = list(dict.fromkeys((p, m) for r in records for p, values in r.parts.items() for m in values))
    for part, metric in parts:
        values = [r.parts.get(part, {}).get(metric) for r in records]
        rows.append([f"{part}: {titles.get(metric, metric)}", *(_known(v, ".4f") or "—" for v in values)])
    caption = "All metrics by seed; in brackets the bootstrap interval over images."
    return table(["metric", *seeds], rows, caption)


def _value(record: CellRecord, metric: str) -> Html:
    if metric not in record.metrics:
        return Html("—")
    said = [f"{record.metrics[metric]:.4f}"]
    if metric in record.intervals:
        low, high = record.intervals[metric]
        said.append(tag("small", f" [{low:.3f}, {high:.3f}]"))
    return tag("span", said)
