"""What is sent to the process of a stage, and what comes back from it. All of it is JSON on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from bench.adapters.spec import AdapterSpec
from bench.records.record import Status


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Job(_Message):
    """What one stage computes; the same wherever it runs."""

    stage: str
    """Kind of stage: synthesize, prepare, fit, encode, pair, reduce, cluster, predict or score."""
    key: str
    """Of the artefact that it makes."""
    adapter: AdapterSpec | None = None
    """Whose code runs; None for stages that are the harness's own."""
    inputs: dict[str, str] = {}
    """Role -> key of the artefact that plays it."""
    params: dict[str, Any] = {}
    """What else decides on the result: selections of images, metrics..."""
    seed: int | None = None
    """The cell's seed; None if the result does not depend on it."""
    root: str | None = None
    """Folder of the data, for prepare on data that was not generated."""
    threads: int = 1
    """That the stage may use."""
    processes: int = 1
    """That train together."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of neural networks."""


class Allocation(_Message):
    """What a node gives a stage to work with."""

    store: str
    """Root of the artefact store."""
    session: str
    """Name of this run in the store."""
    device: str = "cpu"
    """A torch device, or "auto"."""
    gpus: tuple[str, ...] = ()
    """GPUs that are the stage's own, as CUDA_VISIBLE_DEVICES names them."""
    environment: dict[str, Any] = {}
    """Host, commit and versions: see `bench.records.record.Environment`."""

    @property
    def root(self) -> Path:
        """Root of the artefact store."""
        return Path(self.store)


class Outcome(_Message):
    """How a stage ended, in its own words."""

    status: Status | None = None
    """None if an input was gone."""
    error: str | None = None
    """One sentence, if it failed."""
    missing_input: str | None = None
    """Key of an artefact that is damaged or gone and must be made again first."""
