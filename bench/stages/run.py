"""Runs one stage whose inputs are available, usually in a separate process."""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.adapters.aliases import MovedWarning
from bench.errors import CutjoinError, DiskFull
from bench.interfaces import Adapter, Run
from bench.records.record import ScoreReport, StageReport, Status
from bench.records.store import Store
from bench.stages import work
from bench.stages.context import Context, InputMissing
from bench.stages.job import Allocation, Job, Outcome
from bench.stages.scoring import score_labels

Report = Callable[[int, int | None, str], None]


def execute(job: Job, given: Allocation, report: Report) -> Outcome:
    """Run one stage in this process, write its artefact to the store and return how it ended.

    If it fails, the traceback goes to stderr, which is the stage's log.
    """
    store = Store(given.root)
    if store.holds(job.key):
        return Outcome(status=Status.OK)
    try:
        store.write(job.key, lambda folder: _measured(job, given, folder, report), given.session)
    except InputMissing as e:
        return Outcome(missing_input=e.key)
    except DiskFull as e:
        traceback.print_exc()
        return Outcome(disk_full=str(e))
    except CutjoinError as e:
        return Outcome(status=Status.ERROR, error=str(e))
    except MemoryError:
        traceback.print_exc()
        return Outcome(status=Status.OOM_HOST, error="the process ran out of memory (MemoryError)")
    except BaseException as e:  # noqa: BLE001  # anything an adapter raises becomes a record
        traceback.print_exc()
        lost_gpu = type(e).__name__ == "OutOfMemoryError" and type(e).__module__.startswith("torch")
        status = Status.OOM_GPU if lost_gpu else Status.ERROR
        return Outcome(status=status, error=f"{type(e).__name__}: {_message(e)}"[:2000])
    return Outcome(status=Status.OK)


def _message(error: BaseException) -> str:
    """Return what an exception says; an adapter's own may fail even at that."""
    try:
        return str(error)
    except Exception as e:  # noqa: BLE001
        return f"(its message cannot be shown: {type(e).__name__})"


def score_again(inputs: dict[str, str], params: dict[str, Any], store: Store) -> ScoreReport:
    """Score labels in the store, e.g. because a metric changed; writes nothing.

    `inputs` and `params` are those of the score stage. Raises `InputMissing` if an input is missing.
    """
    job = Job(stage="score", key="", inputs=inputs, params=params)
    run = Run.detached()
    with tempfile.TemporaryDirectory() as folder:
        return ScoreReport.model_validate(score_labels(Context(job, store, Path(folder), None, run)))


def _measured(job: Job, given: Allocation, folder: Path, report: Report) -> dict[str, Any]:
    """Run and time the stage's own code; return the fields of its `StageReport`."""
    started, clock = datetime.now(UTC), time.perf_counter()
    adapter = job.adapter.build() if job.adapter is not None else None
    store = Store(given.root)
    run = _run(job, given, store, report)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", MovedWarning)  # irrelevant to the result: `bench run` warns the user
        own = _STAGES[job.stage](Context(job, store, folder, adapter, run))
    body = {
        "stage": job.stage,
        "adapter": job.adapter.adapter if job.adapter is not None else "",
        "wall_s": round(time.perf_counter() - clock, 4),
        "host_peak_bytes": _peak_bytes(),
        "gpu_peak_bytes": _gpu_peak_bytes(),
        "device": run.device,
        "threads": run.threads,
        "seed": run.seed if job.seed is not None else None,
        "started": started.isoformat(timespec="milliseconds"),
        "facts": json.loads(json.dumps(run.facts, default=str)),
        "warnings": list(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))[:20],
        "place": {**given.environment, "versions": _versions(adapter)},
        **own,
    }
    StageReport.model_validate(body)  # here a wrong one ends the stage; read from the store, it ends the run
    return body


_STAGES: dict[str, Callable[[Context], dict[str, Any]]] = {
    "synthesize": work.synthesize,
    "prepare": work.prepare,
    "fit": work.fit,
    "encode": work.encode,
    "reduce": work.reduce,
    "pair": work.pair,
    "cluster": work.cluster,
    "predict": work.predict,
    "score": score_labels,
}


def _run(job: Job, given: Allocation, store: Store, report: Report) -> Run:
    log = logging.getLogger("bench")
    checkpoints = store.checkpoints(job.key)
    checkpoints.mkdir(parents=True, exist_ok=True)
    seed = 0
    if job.seed is not None:
        words = [job.seed, int(job.key[:16], 16)]
        seed = int(np.random.SeedSequence(words).generate_state(1)[0])
    return Run(seed, job.threads, given.device, job.precision, log, checkpoints, report)


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)) * unit


def _gpu_peak_bytes() -> int | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_allocated())


def _versions(adapter: Adapter | None) -> dict[str, str]:
    import importlib.metadata as md

    versions = {"numpy": np.__version__}
    for name in {m.partition(".")[0] for m in (type(adapter).libraries if adapter else ())}:
        known = getattr(sys.modules.get(name), "__version__", None)
        if known is None:
            try:
                known = md.version(name.replace("_", "-"))
            except md.PackageNotFoundError:
                continue
        versions[name] = str(known)
    return dict(sorted(versions.items()))
