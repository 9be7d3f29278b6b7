"""What the harness itself costs: planning, the store, starting a stage."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.adapters import registry
from bench.execute.process import Running, Workers
from bench.planning.fingerprint import Fingerprints
from bench.planning.plan import make_plan
from bench.records.store import Store
from bench.suite.suitefile import load

try:
    from bench.adapters import spec
    from bench.stages import job as stage_job
except ImportError:
    spec = None  # type: ignore[assignment]

_SUITE = """
seeds: [{seeds}]
baselines: false
datasets:
  - {{name: A, use: kaggle_plankton, synthetic: {{images: 100}}}}
methods:
  - grid: {{encoder: [pixels, polar_fft], clusterer.use: [kmeans], clusterer.k: [{ks}]}}
"""


class Plan:
    """Plans of 2 x 50 x seeds cells, from the file on."""

    params = (100, 10_000)
    param_names = ("cells",)

    def setup(self, cells: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        seeds, ks = (", ".join(map(str, r)) for r in (range(cells // 100), range(2, 52)))
        (self.folder / "suite.yaml").write_text(_SUITE.format(seeds=seeds, ks=ks))

    def teardown(self, cells: int) -> None:
        shutil.rmtree(self.folder)

    def time_plan(self, cells: int) -> None:
        plan = make_plan(load(self.folder / "suite.yaml"), Fingerprints(self.folder / "f.sqlite"))
        assert len(plan.cells) == cells


class Artefacts:
    """Writing and verifying an artefact of 16 MiB."""

    def setup(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder)
        self.data = os.urandom(16 << 20)
        self.key = secrets.token_hex(16)
        self.store.write(self.key, self._fill, "perf")

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def _fill(self, folder: Path) -> dict[str, Any]:
        (folder / "data.bin").write_bytes(self.data)
        return {}

    def time_write(self) -> None:
        self.store.write(secrets.token_hex(16), self._fill, "perf")

    def time_open_verified(self) -> None:
        assert self.store.open(self.key) is not None


class Stages:
    """Start to end of a stage that does next to nothing, forked from a warm server."""

    def setup(self) -> None:
        if spec is None:
            raise NotImplementedError  # so asv skips commits that sent stages another form of job
        self.generator = registry.identity(registry.load("generator", "plankton"))
        self.folder = Path(tempfile.mkdtemp())
        self.workers = Workers(threads=1)
        self.time_stage()

    def teardown(self) -> None:
        self.workers.close()
        shutil.rmtree(self.folder)

    def time_stage(self) -> None:
        key = secrets.token_hex(16)
        adapter = spec.AdapterSpec(kind="generator", adapter=self.generator, params={"images": 1})
        job = stage_job.Job(stage="synthesize", key=key, adapter=adapter)
        given = stage_job.Allocation(store=str(self.folder), session="perf", environment={})
        self.workers.start(job, given, warm=True, wall_s=60, memory_bytes=1 << 32)
        ended: list[Running] = []
        while not ended:
            ended = self.workers.wait(0.05)
        outcome = ended[0].inbox.outcome
        assert outcome is not None
        assert outcome.status == "ok", outcome.error
