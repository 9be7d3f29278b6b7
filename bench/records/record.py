"""The result of a cell: one immutable, sealed JSON file. A failed cell has a record too."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import DataError
from bench.util.durable import Damaged, seal, unseal, write_whole

SCHEMA = 1


class Newer(DataError):
    """A record that only a later version of the program can read. It is intact: never quarantined."""


class Status(StrEnum):
    """How a cell, or the stage that decided it, ended."""

    OK = "ok"
    DEGENERATE = "degenerate"  # ran, but put all images in one cluster or each alone
    ERROR = "error"  # an adapter raised, or broke its contract
    TIMEOUT = "timeout"  # killed by us at the wall-time limit
    OOM_HOST = "oom-host"  # killed by us at the memory limit, or by the kernel
    OOM_GPU = "oom-gpu"
    CRASH = "crash"  # its process died of a signal that we did not send
    BLOCKED = "blocked"  # one of its inputs failed or is missing

    @property
    def failed(self) -> bool:
        """Whether the cell has no scores."""
        return self not in (Status.OK, Status.DEGENERATE)


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Environment(_Frozen):
    """Machine and versions that something was computed with."""

    host: str
    platform: str
    processor: str
    python: str
    cutjoin: str
    git_commit: str | None
    git_dirty: bool | None
    versions: dict[str, str] = {}
    """Version of every library that the stage's adapter declares, and of numpy."""


class _StageFields(_Frozen):
    """Cost and metadata of a stage."""

    stage: str
    adapter: str
    """Identity of its code; empty for the harness itself."""
    wall_s: float = Field(ge=0)
    host_peak_bytes: int = Field(ge=0)
    gpu_peak_bytes: int | None = None
    device: str
    threads: int
    seed: int | None
    """Seed given to the adapter; None if the result does not depend on one."""
    started: str
    """UTC, ISO 8601."""
    facts: dict[str, Any] = {}
    warnings: list[str] = []
    place: Environment


class ScoreReport(_Frozen):
    """Result of a score stage."""

    scores: dict[str, Any] = {}
    """If classes are known: metrics by name, counts, and `intervals`."""
    counts: dict[str, int] = {}
    """If no class is known: `n`, `clusters` and `noise`."""
    parts: dict[str, dict[str, float]] = {}
    """See `CellRecord.parts`."""
    degenerate: str | None = None
    """Why the labels carry no information, if so."""


class StageReport(_StageFields, ScoreReport):
    """Metadata that a stage writes into the manifest of its artefact."""

    set: dict[str, Any] = {}
    """Of prepare: classes, bad images and notes of the image set."""
    shape: list[int] = []
    """Of stages that compute one array."""


class StageRecord(_StageFields):
    """One stage of a cell."""

    key: str

    @classmethod
    def of(cls, key: str, report: StageReport) -> StageRecord:
        """Return the part of a stage's report that a cell's record stores."""
        return cls(key=key, **{name: getattr(report, name) for name in _StageFields.model_fields})


class CellRecord(_Frozen):
    """One dataset, one method, one seed."""

    schema_version: int = SCHEMA
    key: str
    suite: str
    dataset: str
    method: str
    seed: int
    status: Status
    error: str | None = None
    """One sentence on why there are no scores, or why they are degenerate."""
    failed_stage: str | None = None
    log: str | None = None
    """Log of the failed stage: a file in the suite's results folder."""
    trivial: bool = False
    synthetic: bool = False
    """Whether the images were generated."""
    uses_labels: bool = False
    """Whether any part of the method may see true labels."""
    params: dict[str, Any]
    """Every parameter of every part, including defaults."""
    data_fingerprint: str | None
    metrics: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    """Bootstrap over images, level as in `params.score`."""
    parts: dict[str, dict[str, float]] = {}
    """Metrics of a part of the image pairs: within and between subsets ("seen-unseen"), and of a pair model's
    decisions before clustering ("pairs", "pairs seen-unseen"); of "clusters" and "classes" in the features,
    and after a reducer ("classes reduced"); and of association with clusters ("day"). Undefined ones are
    omitted."""
    metrics_version: int | None = None
    n_scored: int = Field(0, ge=0)
    coverage: float | None = None
    """Share of the labelled images that were scored; below 1 if noise is dropped."""
    classes: int | None = None
    clusters: int | None = None
    noise: int | None = None
    """Images labelled as noise by the clusterer."""
    bad_images: list[dict[str, str]] = []
    left_out: dict[str, Any] = {}
    """How many images of how many were left out, why, and classes without any: `bench.records.leftout`."""
    dataset_notes: dict[str, Any] = {}
    wall_s: float = Field(0.0, ge=0)
    """Sum over its stages, including those shared with other cells."""
    host_peak_bytes: int = Field(0, ge=0)
    gpu_peak_bytes: int | None = None
    stages: list[StageRecord] = []
    place: Environment

    @model_validator(mode="after")
    def _consistent(self) -> CellRecord:
        if self.status.failed == bool(self.metrics or self.parts):
            raise ValueError(f"a cell has metrics exactly when it did not fail; this one is {self.status}")
        if self.status is not Status.OK and self.error is None:
            raise ValueError(f"a cell with status {self.status} needs an `error`")
        return self

    def essence(self) -> dict[str, Any]:
        """Return the record without what may differ between equivalent runs: times, memory and hosts."""
        body = self.model_dump(mode="json")
        for part in [body, *body["stages"]]:
            for volatile in ("wall_s", "host_peak_bytes", "gpu_peak_bytes", "started", "place", "device"):
                part.pop(volatile, None)
        for stage in body["stages"]:
            stage["facts"].pop("speed", None)
        return body


def put(folder: Path, record: CellRecord) -> Path:
    """Write a record atomically; an earlier one of the same cell moves to `superseded/`."""
    path = folder / f"{record.key}.json"
    if path.exists():
        old = folder.parent / "superseded" / f"{record.key}.{secrets.token_hex(4)}.json"
        write_whole(old, path.read_bytes())
    write_whole(path, seal(record.model_dump(mode="json")))
    return path


def read(path: Path) -> CellRecord:
    """Read one record.

    Raises `Damaged` if any bit differs from what was written, and `Newer` if only a later version of
    the program can read it.
    """
    body = unseal(path.read_bytes(), str(path))
    refuse_newer(body, str(path))
    try:
        record = CellRecord.model_validate(body)
    except ValidationError as e:
        raise Damaged(f"{path}: not a record of schema {SCHEMA}: {e.errors()[0]['msg']}") from None
    if record.key != path.stem:
        raise Damaged(f"{path}: holds the record of another cell, {record.key}")
    return record


def refuse_newer(body: Mapping[str, Any], name: str) -> None:
    """Raise `Newer` if only a later version of the program can read a record's content."""
    written = body.get("schema_version")
    if isinstance(written, int) and written > SCHEMA:
        raise Newer(
            f"{name}: written by a newer version (schema {written}, this program reads up to {SCHEMA}); "
            "update cutjoin"
        )
