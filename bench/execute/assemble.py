"""Records put together from what the stages of a cell said."""

from __future__ import annotations

from typing import Any

from bench.execute.process import Running
from bench.metrics.names import COUNTS
from bench.planning.plan import Cell, Plan, Stage
from bench.records.record import CellRecord, Place, StageRecord, Status

About = dict[str, Any]
"""What a manifest says of an artefact; made by `bench.stages.run`."""


def scored_record(plan: Plan, cell: Cell, abouts: dict[str, About], place: dict[str, Any]) -> CellRecord:
    """Make the record of a cell all of whose stages are there."""
    about = abouts[cell.stages[-1]]
    scores = about.get("scores", {})
    counts = scores or about["counts"]
    reason = None if cell.trivial else about["degenerate"]
    return CellRecord(
        **_common(plan, cell, abouts, place),
        status=Status.DEGENERATE if reason else Status.OK,
        error=reason,
        metrics={name: value for name, value in scores.items() if name not in COUNTS},
        intervals=scores.get("intervals", {}),
        parts=about["parts"],
        metrics_version=cell.params["metrics"]["version"],
        n_scored=counts["n"],
        coverage=scores.get("coverage"),
        classes=scores.get("classes"),
        clusters=counts["clusters"],
        noise=counts["noise"],
    )


def failed_record(
    plan: Plan,
    cell: Cell,
    stage: Stage,
    status: Status,
    error: str,
    ended: Running | None,
    log: str | None,
    abouts: dict[str, About],
    place: dict[str, Any],
) -> CellRecord:
    """Make the record of a cell one of whose stages failed.

    If its data could not be prepared, the method is not to blame: the cell is blocked.
    """
    if stage.kind in ("synthesize", "prepare"):
        status, error = Status.BLOCKED, f"{stage.kind} ended as {status}: {error}"
    common = _common(plan, cell, abouts, place)
    if ended is not None:
        common["wall_s"] += round(ended.seconds(), 4)
        common["host_peak_bytes"] = max(common["host_peak_bytes"], ended.peak_bytes)
    return CellRecord(**common, status=status, error=error, failed_stage=stage.kind, log=log)


def blocked_record(plan: Plan, cell: Cell, place: dict[str, Any]) -> CellRecord:
    """Make the record of a cell that cannot even be planned, e.g. because its data is not there."""
    return CellRecord(**_common(plan, cell, {}, place), status=Status.BLOCKED, error=cell.blocked)


def _common(plan: Plan, cell: Cell, abouts: dict[str, About], place: dict[str, Any]) -> dict[str, Any]:
    stages = [_stage_record(key, abouts[key]) for key in cell.stages if key in abouts]
    image_set: dict[str, Any] = next((a["set"] for a in abouts.values() if a["stage"] == "prepare"), {})
    gpu = [s.gpu_peak_bytes for s in stages if s.gpu_peak_bytes is not None]
    return {
        "key": cell.key,
        "suite": plan.suite.name,
        "dataset": cell.dataset,
        "method": cell.method,
        "seed": cell.seed,
        "trivial": cell.trivial,
        "synthetic": cell.synthetic,
        "uses_labels": cell.uses_labels,
        "params": cell.params,
        "data_fingerprint": cell.fingerprint,
        "bad_images": image_set.get("bad_images", []),
        "dataset_notes": image_set.get("notes", {}),
        "wall_s": round(sum(s.wall_s for s in stages), 4),
        "host_peak_bytes": max((s.host_peak_bytes for s in stages), default=0),
        "gpu_peak_bytes": max(gpu, default=None),
        "stages": stages,
        "place": Place(**place),
    }


def _stage_record(key: str, about: About) -> StageRecord:
    own = {name: about[name] for name in StageRecord.model_fields if name in about}
    return StageRecord(**{**own, "key": key})
