"""What each stage does, once its inputs are there. Runs in a process of its own."""

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

from bench.adapters import registry
from bench.adapters.aliases import MovedWarning
from bench.errors import DataError
from bench.interfaces import Adapter, Run
from bench.records.record import Status
from bench.records.store import Store
from bench.stages import work
from bench.stages.context import Context, InputGone, Job
from bench.stages.scoring import score_labels

__all__ = ["InputGone", "Job", "execute", "score_again", "unpack"]

Report = Callable[[int, int | None, str], None]


def execute(job: Job, report: Report) -> dict[str, Any]:
    """Run one stage, leave its artefact in the store and say how it went.

    Returns `{"status": "ok"}`, `{"status": "input-gone", "key": ...}`, or a failed
    status with `error`, one sentence; the traceback goes to stderr, which is the log.
    """
    store = Store(Path(job["store"]))
    if store.holds(job["key"]):
        return {"status": Status.OK}
    try:
        store.write(job["key"], lambda folder: _measured(job, store, folder, report), job["run"])
    except InputGone as e:
        return {"status": "input-gone", "key": e.key}
    except DataError as e:
        return {"status": Status.ERROR, "error": str(e)}
    except MemoryError:
        traceback.print_exc()
        return {"status": Status.OOM_HOST, "error": "the process ran out of memory (MemoryError)"}
    except BaseException as e:  # noqa: BLE001  # whatever an adapter raises ends as a record
        traceback.print_exc()
        lost_gpu = type(e).__name__ == "OutOfMemoryError" and type(e).__module__.startswith("torch")
        status = Status.OOM_GPU if lost_gpu else Status.ERROR
        return {"status": status, "error": f"{type(e).__name__}: {e}"[:2000]}
    return {"status": Status.OK}


def score_again(inputs: dict[str, str], params: dict[str, Any], store: Store) -> dict[str, Any]:
    """Score labels that are in the store, e.g. because a metric changed; leaves nothing behind.

    `inputs` and `params` are those of the score stage. Raises `InputGone` if one is not there.
    """
    run = Run(0, 1, "cpu", "float32", logging.getLogger("bench"), Path(), lambda *_: None)
    with tempfile.TemporaryDirectory() as folder:
        return score_labels(Context({"inputs": inputs, "params": params}, store, Path(folder), None, run))


def unpack(packed: dict[str, Any]) -> Adapter:
    """Build an adapter from what `bench.planning.plan.packed` said of it.

    Raises `DataError` if a user's adapter file changed since the run was planned.
    """
    cls = registry.load(packed["kind"], packed["use"])
    if cls.content_hash != packed["identity"]:
        raise DataError(f"{packed['use']} changed while the run was going on; run the command again")
    nested = {name: unpack(inner) for name, inner in packed["nested"].items()}
    return cls.model_validate({**packed["params"], **nested})


def _measured(job: Job, store: Store, folder: Path, report: Report) -> dict[str, Any]:
    """Run the stage's own code between two looks at the clock; return what the manifest should say."""
    started, clock = datetime.now(UTC), time.perf_counter()
    adapter = unpack(job["adapter"]) if job["adapter"] else None
    run = _run(job, store, report)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", MovedWarning)  # no matter of the result: `bench run` tells the user
        about = _STAGES[job["stage"]](Context(job, store, folder, adapter, run))
    return {
        "stage": job["stage"],
        "adapter": registry.identity(type(adapter)) if adapter is not None else "",
        "wall_s": round(time.perf_counter() - clock, 4),
        "host_peak_bytes": _peak_bytes(),
        "gpu_peak_bytes": _gpu_peak_bytes(),
        "device": run.device,
        "threads": run.threads,
        "seed": run.seed if job["seed"] is not None else None,
        "started": started.isoformat(timespec="milliseconds"),
        "facts": json.loads(json.dumps(run.facts, default=str)),
        "warnings": list(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))[:20],
        "place": {**job["place"], "versions": _versions(adapter)},
        **about,
    }


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


def _run(job: Job, store: Store, report: Report) -> Run:
    log = logging.getLogger("bench")
    checkpoints = store.checkpoints(job["key"])
    checkpoints.mkdir(parents=True, exist_ok=True)
    seed = 0
    if job["seed"] is not None:
        words = [job["seed"], int(job["key"][:16], 16)]
        seed = int(np.random.SeedSequence(words).generate_state(1)[0])
    return Run(seed, job["threads"], job["device"], job["precision"], log, checkpoints, report)


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
