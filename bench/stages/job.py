"""Messages to and from the process of a stage, sent as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from bench.adapters.spec import AdapterSpec
from bench.records.record import Status


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(_Message):
    """What one stage computes; the same on every machine."""

    stage: str
    """Kind of stage: synthesize, prepare, fit, encode, pair, reduce, cluster, predict or score."""
    key: str
    """Of its output artefact."""
    adapter: AdapterSpec | None = None
    """Whose code runs; None for the harness's own stages."""
    inputs: dict[str, str] = {}
    """Role -> key of its artefact."""
    params: dict[str, Any] = {}
    """What else affects the result: selections of images, metrics..."""
    seed: int | None = None
    """The cell's seed; None if the result does not depend on it."""
    root: str | None = None
    """Data folder, for prepare on data that was not generated."""
    threads: int = 1
    """Threads that the stage may use."""
    processes: int = 1
    """Processes that train together."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of neural networks."""


class Allocation(_Message):
    """Resources that a node gives a stage."""

    store: str
    """Root of the artefact store."""
    session: str
    """Name of this run in the store."""
    device: str = "cpu"
    """A torch device, or "auto"."""
    gpus: tuple[str, ...] = ()
    """GPUs allocated to the stage, as CUDA_VISIBLE_DEVICES names them."""
    environment: dict[str, Any] = {}
    """Host, commit and versions: see `bench.records.record.Environment`."""

    @property
    def root(self) -> Path:
        """Root of the artefact store."""
        return Path(self.store)


class Outcome(_Message):
    """How a stage ended, as reported by itself."""

    status: Status | None = None
    """None if an input was gone or the disk is full."""
    error: str | None = None
    """One sentence, if it failed."""
    disk_full: str | None = None
    """Where no room was left, in one sentence: no fault of the stage, it can run again later."""
    missing_input: str | None = None
    """Key of an artefact that is damaged or gone and must be made again first."""

    @field_validator("error")
    @classmethod
    def _can_be_printed(cls, error: str | None) -> str | None:
        """Escape halves of surrogate pairs, e.g. of file names: no file or terminal takes them."""
        return error and error.encode("utf-8", "backslashreplace").decode()
