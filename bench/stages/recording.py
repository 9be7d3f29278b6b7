"""Builds records from the reports of a cell's stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.metrics.names import COUNTS
from bench.planning.plan import Cell, Stage
from bench.records.leftout import left_out
from bench.records.record import CellRecord, Environment, ScoreReport, StageRecord, StageReport, Status


@dataclass(frozen=True)
class Failure:
    """How a stage failed."""

    status: Status
    error: str
    """One sentence."""
    seconds: float = 0.0
    peak_bytes: int = 0
    log: str | None = None
    """Its log file, relative to the suite's results folder."""


@dataclass(frozen=True)
class Recorder:
    """Makes the records of one run of a suite."""

    suite: str
    environment: Environment

    def scored(self, cell: Cell, reports: Mapping[str, StageReport]) -> CellRecord:
        """Make the record of a cell whose stages have all finished."""
        version = cell.params["metrics"]["version"]
        return scored(self._fields(cell, reports), reports[cell.stages[-1]], version)

    def failed(
        self, cell: Cell, stage: Stage, failure: Failure, reports: Mapping[str, StageReport]
    ) -> CellRecord:
        """Make the record of a cell with a failed stage.

        If preparing the data failed, the method is not at fault: the cell is blocked.
        """
        status, error = failure.status, failure.error
        if stage.kind in ("synthesize", "prepare"):
            status, error = Status.BLOCKED, f"{stage.kind} ended as {status}: {error}"
        fields = self._fields(cell, reports)
        fields["wall_s"] += round(failure.seconds, 4)
        fields["host_peak_bytes"] = max(fields["host_peak_bytes"], failure.peak_bytes)
        return CellRecord(**fields, status=status, error=error, failed_stage=stage.kind, log=failure.log)

    def blocked(self, cell: Cell) -> CellRecord:
        """Make the record of a cell that cannot be planned, e.g. because its data is missing."""
        return CellRecord(**self._fields(cell, {}), status=Status.BLOCKED, error=cell.blocked)

    def _fields(self, cell: Cell, reports: Mapping[str, StageReport]) -> dict[str, Any]:
        stages = [StageRecord.of(key, reports[key]) for key in cell.stages if key in reports]
        image_set = next((r.set for r in reports.values() if r.stage == "prepare"), {})
        bad, notes = image_set.get("bad_images", []), image_set.get("notes", {})
        lost = left_out(bad, notes, image_set.get("n"))
        gpu = [s.gpu_peak_bytes for s in stages if s.gpu_peak_bytes is not None]
        return {
            "key": cell.key,
            "suite": self.suite,
            "dataset": cell.dataset,
            "method": cell.method,
            "seed": cell.seed,
            "trivial": cell.trivial,
            "synthetic": cell.synthetic,
            "uses_labels": cell.uses_labels,
            "params": cell.params,
            "data_fingerprint": cell.fingerprint,
            "bad_images": bad,
            "left_out": lost.as_json() if lost is not None else {},
            "dataset_notes": notes,
            "wall_s": round(sum(s.wall_s for s in stages), 4),
            "host_peak_bytes": max((s.host_peak_bytes for s in stages), default=0),
            "gpu_peak_bytes": max(gpu, default=None),
            "stages": stages,
            "place": self.environment,
        }


def scored(fields: Mapping[str, Any], report: ScoreReport, version: int) -> CellRecord:
    """Make a record from its other fields and the report of the score stage.

    `version` is that of the metric definitions.
    """
    scores: Mapping[str, Any] = report.scores or report.counts
    reason = None if fields["trivial"] else report.degenerate
    own: dict[str, Any] = {
        "status": Status.DEGENERATE if reason else Status.OK,
        "error": reason,
        "metrics": {name: value for name, value in report.scores.items() if name not in COUNTS},
        "intervals": scores.get("intervals", {}),
        "parts": report.parts,
        "metrics_version": version,
        "n_scored": scores["n"],
        "coverage": scores.get("coverage"),
        "classes": scores.get("classes"),
        "clusters": scores["clusters"],
        "noise": scores["noise"],
    }
    return CellRecord(**{**fields, **own})
